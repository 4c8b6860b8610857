"""An image cut into blocks of whole chunks (shards), and which tiles each of them needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.bins import unravel
from napari_tessera.region import Region, Selection
from napari_tessera.writing.chunks.grid import ChunkGrid, Slices
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.block_cells import TileCells

Stretches = Mapping[str, tuple[int, int]]
"""Start and stop along axes of a region, counted in the indices that it has."""


@dataclass(frozen=True, eq=False)
class BlockCut:
    """The cut of the full size of a run's image into blocks, numbered in C order.

    A block is whole chunks (shards where there are any), so that nothing is stored by two. The
    tiles that meet it are predicted for it; those that lie over several blocks for each of them.
    Each tile is *owned* by one, the block in which its core begins: so numbers of tiles add up.

    Parameters
    ----------
    cells : TileCells
        The run's tiles.
    held : Region
        What the array holds: the run's region, or with channels that are copied more of it.
    lengths : tuple of int
        Length of a block along each axis on disk; multiples of those of the chunks (shards), or
        beyond the array's end.
    """

    cells: TileCells
    held: Region
    lengths: tuple[int, ...]

    @cached_property
    def order(self) -> OmeOrder:
        """The order of the axes on disk."""
        return OmeOrder(self.held.axes, self.held.selected_shape)

    @cached_property
    def grid(self) -> ChunkGrid:
        """The blocks of the array on disk."""
        return ChunkGrid(self.order.disk_shape, self.lengths)

    @property
    def n_blocks(self) -> int:
        """Number of blocks, those without a tile included."""
        return prod(self.grid.counts)

    @property
    def n_tiles(self) -> int:
        """Number of tiles that are predicted, each counted once."""
        return self.cells.count([range(n) for n in self.cells.shape])

    @cached_property
    def redundancy(self) -> float:
        """How many tiles are predicted for each that there is: 1 where none is twice."""
        computed, alone = 1, 1
        for letter, length in zip(self.order.disk_axes, self.lengths, strict=True):
            if letter not in self.cells.layout.spatial_axes:
                continue
            cells = self.cells.along[letter]
            size = int(cells.ends[-1])
            starts = np.arange(0, size, length)
            computed *= int(cells.predicted(starts, np.minimum(starts + length, size)).sum())
            alone *= int(cells.predicted(np.array([0]), np.array([size]))[0])
        return computed / alone

    def window(self, number: int) -> Slices:
        """The pixels of a block, as slices of the array on disk."""
        if not 0 <= number < self.n_blocks:
            raise IndexError(f"block {number} is outside 0…{self.n_blocks - 1}")
        return self.grid.region(unravel(number, self.grid.counts))

    def regions(self, number: int) -> tuple[Region, ...]:
        """What of the run's region lies in a block.

        Several products where S and T, which are one axis on disk, are cut within a sample; none
        where the block holds nothing but channels that are copied.
        """
        region = self.cells.region
        return tuple(
            Region(
                region.axes,
                region.shape,
                tuple(
                    chosen[slice(*piece[letter])]
                    for letter, chosen in zip(region.axes, region.indices, strict=True)
                ),
            )
            for piece in self._pieces(number)
        )

    def held_stretches(self, number: int) -> list[Stretches]:
        """The same of what the array holds, copied channels included, as positions in it."""
        return self._products(dict(zip(self.order.disk_axes, self.window(number), strict=True)))

    def n_owned(self, number: int) -> int:
        """How many tiles a block owns."""
        return sum(self.cells.count(box) for box in self._boxes(number, owned=True))

    def n_meeting(self, number: int) -> int:
        """How many tiles meet a block."""
        return sum(self.cells.count(box) for box in self._boxes(number))

    def owned_tiles(self, number: int) -> Iterator[int]:
        """Numbers of the tiles that a block owns, ascending; none that is skipped."""
        for box in self._boxes(number, owned=True):
            yield from self.cells.numbers(box).tolist()

    def tiles_meeting(self, number: int) -> Iterator[int]:
        """Numbers of the tiles that meet a block, ascending; none that is skipped."""
        for box in self._boxes(number):
            yield from self.cells.numbers(box).tolist()

    def first(self, selection: Selection | None = None) -> list[int]:
        """Numbers of all blocks, those that meet a selection of the output first."""
        seen = np.ones(self.grid.counts, np.bool_)
        for axis, letter in enumerate(self.order.disk_axes):
            along = np.zeros(self.grid.counts[axis], np.bool_)
            along[np.flatnonzero(self._seen(letter, selection or {})) // self.lengths[axis]] = True
            seen &= along.reshape([-1 if at == axis else 1 for at in range(seen.ndim)])
        flat = seen.ravel()
        return [*np.flatnonzero(flat).tolist(), *np.flatnonzero(~flat).tolist()]

    def tiles_of(self, done: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of each tile whether it is done, where it is of blocks: all that it meets are.

        Parameters
        ----------
        done : numpy.ndarray of bool
            One value for each block.

        Returns
        -------
        numpy.ndarray of bool
            One value for each tile; False for those that are skipped.
        """
        state, letters = done.reshape(self.grid.counts), ""
        for letter, length in zip(self.order.disk_axes, self.lengths, strict=True):
            axis = len(letters)
            if letter == "T":
                own = [each for each in "ST" if each in self.held.axes]
                sizes = [len(self.held.along(each)) for each in own]
                state = state.take(np.arange(prod(sizes)) // length, axis)
                state = state.reshape((*sizes, *state.shape[1:]))
                letters += "".join(own)
            elif letter in self.cells.along:
                first, last = self._positions(letter)
                first, last = first // length, (last - 1) // length
                reduced = state.take(first, axis)
                for more in range(1, int((last - first).max()) + 1):
                    reduced &= state.take(np.minimum(first + more, last), axis)
                state = reduced
                letters += letter
            else:
                # channels that a model makes together are in one block
                state = np.logical_and.reduce(state, axis)
        state = state.transpose([letters.index(letter) for letter in self.cells.axes])
        tiles: NDArray[np.bool_] = state.ravel()
        skipped = self.cells.skipped()
        return tiles if skipped is None else tiles & ~skipped

    def blocks_of(self, tiles: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of each block whether all tiles that meet it are done; True where there are none.

        Parameters
        ----------
        tiles : numpy.ndarray of bool
            Of each tile whether it is done.
        """
        skipped = self.cells.skipped()
        over = (tiles if skipped is None else tiles | skipped).reshape(self.cells.shape)
        return np.array(
            [
                all(
                    over[tuple(slice(part.start, part.stop) for part in box)].all()
                    for box in self._boxes(number)
                )
                for number in range(self.n_blocks)
            ],
            np.bool_,
        )

    def alone(self) -> NDArray[np.bool_]:
        """Of each tile whether it lies in one block."""
        lengths = dict(zip(self.order.disk_axes, self.lengths, strict=True))
        alone = np.ones((), np.bool_)
        for letter, cells in self.cells.along.items():
            own = np.ones(cells.n, np.bool_)
            if letter in self.cells.layout.spatial_axes:
                length = lengths[letter]
                own = cells.ends[:-1] // length == (cells.ends[1:] - 1) // length
            alone = np.logical_and.outer(alone, own)
        return alone.ravel()

    def empty(self) -> NDArray[np.bool_]:
        """Of each block whether nothing comes into it: its tiles are skipped, no channel copied."""
        if self.cells.kept is None:
            return np.zeros(self.n_blocks, np.bool_)
        empty = np.array([not self.n_meeting(number) for number in range(self.n_blocks)], np.bool_)
        return empty & ~self.copying()

    def copied(self, number: int) -> tuple[int, ...]:
        """Channels of a block that are copied from the image."""
        if self.held == self.cells.region:
            return ()
        part = self.window(number)[self.order.disk_axes.index("C")]
        predicted = set(self.cells.region.along("C"))
        return tuple(
            channel
            for channel in self.held.along("C")[part.start : part.stop]
            if channel not in predicted
        )

    def copying(self) -> NDArray[np.bool_]:
        """Of each block whether it has channels that are copied."""
        if self.held == self.cells.region:
            return np.zeros(self.n_blocks, np.bool_)
        return np.array([bool(self.copied(n)) for n in range(self.n_blocks)], np.bool_)

    def to_json(self) -> dict[str, Any]:
        """What is stored of it: all else is in the plan."""
        return {"lengths": list(self.lengths)}

    def _boxes(self, number: int, *, owned: bool = False) -> Iterator[list[range]]:
        """Tiles of a block along each axis that they are numbered along, product by product."""
        for piece in self._pieces(number):
            yield [
                cells.beginning(*piece[letter]) if owned else cells.meeting(*piece[letter])
                for letter, cells in self.cells.along.items()
            ]

    def _pieces(self, number: int) -> list[Stretches]:
        """What of the run's region lies in a block, in positions of that region."""
        parts = dict(zip(self.order.disk_axes, self.window(number), strict=True))
        if self.held != self.cells.region:
            own, held = self.cells.region.along("C"), self.held.along("C")
            part = parts["C"]
            bounds = (held[part.start], held[part.stop - 1] + 1)
            first, last = np.searchsorted(np.asarray(own), bounds)
            if first == last:
                return []
            parts["C"] = slice(int(first), int(last))
        return self._products(parts)

    def _products(self, parts: dict[str, slice]) -> list[Stretches]:
        time = parts.pop("T", None)
        rest = {letter: (part.start, part.stop) for letter, part in parts.items()}
        own = [letter for letter in "ST" if letter in self.held.axes]
        if time is None:
            return [rest]
        if len(own) == 1:
            return [{own[0]: (time.start, time.stop), **rest}]
        return [
            {"S": samples, "T": times, **rest}
            for samples, times in _split(time.start, time.stop, len(self.held.along("T")))
        ]

    def _positions(self, letter: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First position in the array of each tile along an axis, and the one after the last."""
        ends = self.cells.along[letter].ends
        if letter not in self.cells.layout.sample_sizes:
            return ends[:-1], ends[1:]
        held, own = (np.asarray(each.along(letter)) for each in (self.held, self.cells.region))
        first = np.searchsorted(held, own)
        return first, first + 1

    def _seen(self, letter: str, selection: Selection) -> NDArray[np.bool_]:
        """Of each position of an axis on disk whether a selection of the output names it."""
        if letter != "T":
            return _named(self.held, letter, selection)
        along = [_named(self.held, own, selection) for own in "ST" if own in self.held.axes]
        return np.array([all(both) for both in product(*along)], np.bool_)


def _split(start: int, stop: int, n: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Positions start…stop−1 of samples of n time points each, as products of both."""
    (first, begin), (last, end) = divmod(start, n), divmod(stop, n)
    if first == last:
        return [((first, first + 1), (begin, end))]
    parts = [((first, first + 1), (begin, n))] if begin else []
    whole = first + bool(begin)
    if whole < last:
        parts.append(((whole, last), (0, n)))
    return [*parts, ((last, last + 1), (0, end))] if end else parts


def _named(held: Region, letter: str, selection: Selection) -> NDArray[np.bool_]:
    chosen = np.asarray(held.along(letter))
    wanted = selection.get(letter)
    if wanted is None:
        return np.ones(len(chosen), np.bool_)
    if isinstance(wanted, slice):
        size = held.shape[held.axes.index(letter)]
        start, stop, _ = wanted.indices(size)
        return (chosen >= start) & (chosen < stop)
    return np.isin(chosen, wanted)
