"""Arrays in chunks of which each is read once, and kept as long as it is going to be needed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from threading import Event, Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks.patch_index import Index, spans_of
from napari_tessera.stacks.reading.boxes import Cell, boxes
from napari_tessera.stacks.reading.expected import ReadOrder, Span

KEPT_BYTES = 40 * 2**20
"""What decoded chunks may take: a row of 512² chunks of uint16, 32,768 pixels wide, and some."""

_NEVER = 2**63


class Sliceable(Protocol):
    """What can be read in parts."""

    def __getitem__(self, index: Any, /) -> Any:
        """Part of the data, at one slice per axis."""
        ...


@dataclass
class _Kept:
    """A chunk that is kept, and how many expected reads of it are left."""

    block: NDArray[Any]
    left: int


@dataclass
class _Flight:
    """A chunk that one thread reads, while others may wait for it."""

    done: Event = field(default_factory=Event)
    block: NDArray[Any] | None = None
    also: int = 0


class ChunksOnce:
    """Array-like that reads another one in whole chunks, and keeps them for the reads to come.

    A chunk stays until every read that was expected of it came, so that reads in any order of one
    row of tiles, and rows one after another, decode it once. Where that is more than may be kept,
    the chunk goes that is needed last: the reads come row by row, and the chunks that were kept
    longest are needed next, so that the one used longest ago would be the wrong one. Without
    anything known of the reads to come it is that one.

    Safe to use from several threads: a chunk that several want is read by one of them.

    Parameters
    ----------
    data : array-like
        What is read; gives arrays that are nobody else's.
    edges : sequence of sequences of int
        Where the chunks begin along each axis, and the end of the axis behind them.
    dtype : numpy.dtype
        Type of the pixels.
    order : ReadOrder, optional
        What is going to be read.
    limit : int
        Bytes that kept chunks may take together; one chunk is kept also where it is larger.
    """

    gives_new_arrays = True
    """What is read is nobody else's memory, so that no copy of it is needed."""

    def __init__(
        self,
        data: Sliceable,
        edges: Sequence[Sequence[int]],
        dtype: np.dtype[Any],
        order: ReadOrder | None = None,
        limit: int = KEPT_BYTES,
    ) -> None:
        self._data = data
        self._edges = edges
        self._order = order
        self._limit = limit
        self._lock = Lock()
        self._kept: dict[Cell, _Kept] = {}
        self._flights: dict[Cell, _Flight] = {}
        self._bytes = 0
        # numbers of the reads that go on now
        self._reading: list[int] = []
        self.shape = tuple(along[-1] for along in edges)
        """Size of each axis."""
        self.dtype = dtype
        """Type of the pixels."""

    @property
    def nbytes(self) -> int:
        """Bytes that the kept chunks take now."""
        return self._bytes

    def __getitem__(self, index: Index) -> NDArray[Any]:
        """Pixels at one int or slice of step 1 per axis, inside the array and not empty.

        Raises
        ------
        ValueError
            If the array gives a chunk of another shape than it has.
        Exception
            Whatever the array raises.
        """
        spans = spans_of(index)
        cells = list(
            product(
                *(
                    range(bisect_right(along, start) - 1, bisect_left(along, stop))
                    for (start, stop), along in zip(spans, self._edges, strict=True)
                )
            )
        )
        number = None if self._order is None else self._order.number(spans)
        if number is None:
            blocks = self._blocks(cells, 0)
        else:
            self._reading.append(number)
            try:
                blocks = self._blocks(cells, 1)
            finally:
                self._reading.remove(number)
        if len(cells) == 1:
            target = np.array(blocks[0][self._within(cells[0], spans)], order="C")
        else:
            target = np.empty([stop - start for start, stop in spans], blocks[0].dtype)
            for cell, block in zip(cells, blocks, strict=True):
                target[self._place(cell, spans)] = block[self._within(cell, spans)]
        kept = zip(target.shape, index, strict=True)
        return target.reshape([length for length, i in kept if isinstance(i, slice)])

    def clear(self) -> None:
        """Forget every chunk."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _blocks(self, cells: Sequence[Cell], counts: int) -> list[NDArray[Any]]:
        """The chunks of a read, of which those that nobody reads yet are read here."""
        found: dict[Cell, NDArray[Any]] = {}
        while len(found) < len(cells):
            own: list[Cell] = []
            waiting: dict[Cell, _Flight] = {}
            with self._lock:
                for cell in cells:
                    if cell in found:
                        continue
                    kept = self._kept.pop(cell, None)
                    if kept is not None:
                        found[cell] = kept.block
                        self._bytes -= kept.block.nbytes
                        self._keep(cell, kept.block, kept.left - counts)
                    elif cell in self._flights:
                        flight = waiting[cell] = self._flights[cell]
                        flight.also += counts
                    else:
                        own.append(cell)
                        self._flights[cell] = _Flight()
            if own:
                found.update(self._read(own, counts))
            for cell, flight in waiting.items():
                flight.done.wait()
                # where the other thread failed this one tries for itself
                if flight.block is not None:
                    found[cell] = flight.block
        return [found[cell] for cell in cells]

    def _read(self, cells: Sequence[Cell], counts: int) -> dict[Cell, NDArray[Any]]:
        """Read chunks that this thread has taken on, and say so to those that wait."""
        made: dict[Cell, NDArray[Any]] = {}
        try:
            for box in boxes(cells):
                made.update(self._read_box(box))
        finally:
            with self._lock:
                for cell in cells:
                    flight = self._flights.pop(cell)
                    block = flight.block = made.get(cell)
                    if block is not None:
                        self._keep(cell, block, self._reads_of(cell) - counts - flight.also)
                    flight.done.set()
                self._make_room()
        return made

    def _read_box(self, box: Sequence[range]) -> Iterator[tuple[Cell, NDArray[Any]]]:
        """Read neighbouring chunks together: what reads several at once can do so."""
        spans = [
            (along[cells.start], along[cells.stop])
            for cells, along in zip(box, self._edges, strict=True)
        ]
        whole = np.asarray(self._data[tuple(slice(*span) for span in spans)])
        expected = tuple(stop - start for start, stop in spans)
        if whole.shape != expected:
            raise ValueError(f"{whole.shape} pixels came where {expected} are")
        if prod(map(len, box)) == 1:
            yield tuple(cells.start for cells in box), whole
            return
        for cell in product(*box):
            # a view would keep the others in memory
            yield cell, whole[self._place(cell, spans)].copy()

    def _reads_of(self, cell: Cell) -> int:
        """How many expected reads take pixels of a chunk; without order, as many as may come."""
        return 2**62 if self._order is None else self._order.count(self._spans(cell))

    def _keep(self, cell: Cell, block: NDArray[Any], left: int) -> None:
        if left > 0:
            self._kept[cell] = _Kept(block, left)
            self._bytes += block.nbytes

    def _make_room(self) -> None:
        """Let go of what is needed last, and a bit more, so that this comes seldom."""
        if self._bytes <= self._limit:
            return
        order = list(self._kept)
        reads = self._order
        if reads is not None:
            # a read that began later may be through before one that began earlier
            after = max(0, min(self._reading, default=0) - 1)
            due = {cell: reads.next(self._spans(cell), after) for cell in order}
            order.sort(key=lambda cell: due[cell] or _NEVER, reverse=True)
        for cell in order:
            if self._bytes <= self._limit * 15 // 16 or len(self._kept) == 1:
                break
            self._bytes -= self._kept.pop(cell).block.nbytes

    def _spans(self, cell: Cell) -> list[Span]:
        return [(along[at], along[at + 1]) for at, along in zip(cell, self._edges, strict=True)]

    def _within(self, cell: Cell, spans: Sequence[Span]) -> tuple[slice, ...]:
        """The part of a chunk that lies in spans."""
        return tuple(
            slice(max(start - along[at], 0), min(stop, along[at + 1]) - along[at])
            for at, (start, stop), along in zip(cell, spans, self._edges, strict=True)
        )

    def _place(self, cell: Cell, spans: Sequence[Span]) -> tuple[slice, ...]:
        """The part of spans that a chunk covers."""
        return tuple(
            slice(max(along[at] - start, 0), min(stop, along[at + 1]) - start)
            for at, (start, stop), along in zip(cell, spans, self._edges, strict=True)
        )
