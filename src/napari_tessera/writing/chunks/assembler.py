"""Writing each chunk of a Zarr array once, however the tiles lie over the chunks.

A tile's core rarely ends on a chunk edge. Written as they come, cores would make Zarr read, unpack,
change, pack and write every chunk several times. The assembler keeps the chunks that are begun in
memory and writes each when its last pixel came. Where an array has shards, a shard is the unit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.buffers import SpareBuffers
from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.chunks.grid import ChunkGrid, ChunkIndex, Slices, indices
from napari_tessera.writing.chunks.overflow import Overflow
from napari_tessera.writing.chunks.workers import Workers

DEFAULT_MEMORY_LIMIT = 512 * 2**20
"""Bytes of begun chunks to hold; 512 MiB is a row of chunks of a plane 130,000 pixels wide, or
32 planes of 2000 × 2000."""


@dataclass
class _Begun:
    """What came of a chunk so far."""

    awaited: int
    """Number of pixels that will have come in the end."""
    pixels: int = 0
    tiles: set[Hashable] = field(default_factory=set)
    unwritten: list[Hashable] = field(default_factory=list)
    parts: list[Slices] | None = None
    """What of the buffer has pixels; None if all of it has."""
    stored: bool = False
    """Whether it was written whole; then only who listens must still take it."""

    @property
    def complete(self) -> bool:
        """Whether all came."""
        return self.pixels == self.awaited

    def count(self, tile: Hashable, within: Slices) -> None:
        """Add a tile that covers a part of the chunk."""
        self.tiles.add(tile)
        self.pixels += prod(part.stop - part.start for part in within)
        if self.parts is not None:
            self.parts.append(within)


class ChunkAssembler:
    """Collects blocks of pixels into chunks. Not thread-safe: to be called from one thread.

    Parameters
    ----------
    array : zarr.Array
        Array to write to, new or partly written. Nothing else may write to it.
    memory_limit : int, default 512 MiB
        Bytes of begun chunks to keep in memory. Beyond it the ones touched longest ago are
        written unfinished, or put into ``overflow``, and read back when their next block comes.
    on_complete : callable, optional
        Given the index of each chunk that was written whole, and its pixels, which it must not
        change. Until it returned, no tile of the chunk counts as durable. If it raises, it is
        called again for the chunk at the next `flush`; the chunk is not written again.
    coverage : Coverage, optional
        What of the array comes; None for all. What does not is the fill value.
    workers : Workers, optional
        Threads that pack and store whole chunks, each chunk one of them, while others come. What
        they have not stored counts as held, and its tiles not as durable; an error of one is raised
        by a later call. Default: chunks are packed and stored where they are completed.
    overflow : Overflow, optional
        Where begun chunks wait beyond the limit of memory, so that none is written before it is
        whole or `flush` is called. Default: in the array.
    """

    def __init__(
        self,
        array: zarr.Array[Any],
        *,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
        on_complete: Callable[[ChunkIndex, NDArray[Any]], None] | None = None,
        coverage: Coverage | None = None,
        workers: Workers | None = None,
        overflow: Overflow | None = None,
    ) -> None:
        self.array = array
        self.memory_limit = memory_limit
        self.grid = ChunkGrid.of(array)
        self._on_complete = on_complete
        self._coverage = coverage
        self._workers = workers
        self._overflow = overflow
        self._writer = ChunkWriter(array)
        self._storing: dict[ChunkIndex, Future[None]] = {}
        self._complete = np.zeros(self.grid.counts, dtype=bool)
        self._begun: dict[ChunkIndex, _Begun] = {}
        self._open: OrderedDict[ChunkIndex, NDArray[Any]] = OrderedDict()
        self._waiting_for: dict[Hashable, int] = {}
        self._durable: list[Any] = []
        self._held = 0
        self._spare = SpareBuffers()

    @property
    def held_bytes(self) -> int:
        """Bytes of chunks in memory."""
        return self._held

    @property
    def n_open(self) -> int:
        """Number of chunks in memory."""
        return len(self._open)

    def add(self, target: Sequence[slice], block: NDArray[Any], tile: Hashable) -> None:
        """Take a block of pixels and write the chunks that it completes.

        Blocks of different tiles must not overlap. What a tile brought before is not taken again.

        Parameters
        ----------
        target : sequence of slice
            Start and stop along each axis of the array.
        block : numpy.ndarray
            Pixels of that size and of the array's data type.
        tile : hashable
            Names the block in `take_durable`.

        Raises
        ------
        OSError
            Whatever writing or ``on_complete`` raises, of this block's chunks or of earlier ones.
            All pixels are kept: `flush` tries again.
        """
        if tile in self._waiting_for:
            return
        meeting = indices(self.grid.meeting(target))
        chunks = [chunk for chunk in meeting if not self._has(chunk, tile)]
        if not chunks:
            self._durable.append(tile)
            return
        self._waiting_for[tile] = len(chunks)
        failed: Exception | None = None
        for chunk in chunks:
            begun = self._begin(chunk)
            buffer = self._buffer(chunk)
            within, source = self.grid.overlap(chunk, target)
            buffer[within] = block[source]
            begun.count(tile, within)
            begun.unwritten.append(tile)
            if begun.complete and failed is None:
                try:
                    self._complete_chunk(chunk)
                except Exception as error:
                    failed = error
        if failed is not None:
            raise failed
        for chunk in [chunk for chunk, job in self._storing.items() if job.done()]:
            self._write(chunk)
        while self._held > self.memory_limit:
            self._make_room(next(iter(self._open)))

    def note_durable(self, target: Sequence[slice], tile: Hashable) -> None:
        """Count a block as written that an earlier run left in the array."""
        for chunk in indices(self.grid.meeting(target)):
            begun = self._begin(chunk)
            within, _ = self.grid.overlap(chunk, target)
            begun.count(tile, within)
            if begun.complete:
                self._complete[chunk] = True
                del self._begun[chunk]

    def complete_chunks(self) -> list[ChunkIndex]:
        """Indices of the chunks all of whose pixels are written, by this run or an earlier one."""
        return [tuple(map(int, chunk)) for chunk in np.argwhere(self._complete)]

    def flush(self) -> None:
        """Write all chunks in memory, finished or not; what threads could not store, here."""
        for chunk, job in list(self._storing.items()):
            if job.exception() is not None:
                del self._storing[chunk]
        while self._open:
            self._write(next(iter(self._open)))
        for chunk in self._overflow or ():
            self._buffer(chunk)
            self._write(chunk)

    def take_durable(self) -> list[Any]:
        """Tiles all of whose pixels were written since the last call."""
        durable, self._durable = self._durable, []
        return durable

    def _has(self, chunk: ChunkIndex, tile: Hashable) -> bool:
        """Whether a chunk took a tile's pixels before."""
        if self._complete[chunk]:
            return True
        begun = self._begun.get(chunk)
        return begun is not None and tile in begun.tiles

    def _begin(self, chunk: ChunkIndex) -> _Begun:
        begun = self._begun.get(chunk)
        if begun is None:
            awaited = prod(self.grid.size(chunk))
            if self._coverage is not None:
                awaited -= self._coverage.missing(self.grid.region(chunk))
            begun = self._begun[chunk] = _Begun(awaited)
        return begun

    def _buffer(self, chunk: ChunkIndex) -> NDArray[Any]:
        buffer = self._open.get(chunk)
        if buffer is None:
            begun = self._begun[chunk]
            if self._overflow is not None and chunk in self._overflow:
                begun.parts = None
                buffer = self._spare.take(self.grid.size(chunk), self.array.dtype)
                self._overflow.take(chunk, buffer)
            elif begun.pixels:
                begun.parts = None
                buffer = np.array(self.array[self.grid.region(chunk)])
            else:
                # not filled: memory is taken by and by, as pixels come
                begun.parts = []
                buffer = self._spare.take(self.grid.size(chunk), self.array.dtype)
            self._open[chunk] = buffer
            self._held += buffer.nbytes
        self._open.move_to_end(chunk)
        return buffer

    def _make_room(self, chunk: ChunkIndex) -> None:
        if self._overflow is None or self._begun[chunk].complete:
            self._write(chunk)
            return
        self._overflow.put(chunk, self._pixels(chunk))
        self._let_go(chunk)

    def _let_go(self, chunk: ChunkIndex) -> None:
        buffer = self._open.pop(chunk)
        self._held -= buffer.nbytes
        self._spare.give_back(buffer)

    def _complete_chunk(self, chunk: ChunkIndex) -> None:
        """Write a chunk that is whole: here, or soon by a thread, of which few wait."""
        if self._workers is None:
            self._write(chunk)
            return
        self._storing[chunk] = self._workers.submit(self._writer.write, chunk, self._pixels(chunk))
        while len(self._storing) > self._workers.most_waiting:
            self._write(next(iter(self._storing)))

    def _pixels(self, chunk: ChunkIndex) -> NDArray[Any]:
        buffer, begun = self._open[chunk], self._begun[chunk]
        if begun.pixels < buffer.size:
            return _filled(buffer, begun.parts, self.array.fill_value)
        return buffer

    def _write(self, chunk: ChunkIndex) -> None:
        """Write a chunk, or wait until it is written, and say so to who waits for it."""
        begun = self._begun[chunk]
        complete, pixels = begun.complete, self._pixels(chunk)
        if (job := self._storing.pop(chunk, None)) is not None:
            job.result()
        elif not begun.stored:
            self._writer.write(chunk, pixels)
        begun.stored = complete
        if complete and self._on_complete is not None:
            # before its tiles count: what depends on the chunk may have to be taken back
            self._on_complete(chunk, pixels)
        self._let_go(chunk)
        for tile in begun.unwritten:
            self._settle(tile)
        begun.unwritten.clear()
        if complete:
            self._complete[chunk] = True
            del self._begun[chunk]

    def _settle(self, tile: Hashable) -> None:
        """Note that one of the chunks that a tile waits for is written."""
        self._waiting_for[tile] -= 1
        if not self._waiting_for[tile]:
            del self._waiting_for[tile]
            self._durable.append(tile)


def _filled(buffer: NDArray[Any], parts: list[Slices] | None, fill_value: Any) -> NDArray[Any]:
    """A begun chunk with the fill value where nothing came."""
    if parts is None:
        return buffer
    filled = np.full_like(buffer, fill_value)
    for part in parts:
        filled[part] = buffer[part]
    return filled
