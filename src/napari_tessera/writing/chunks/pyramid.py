"""The smaller levels of an image, made while its chunks are written.

A chunk of a level depends on nothing but the level below. So there is nothing to keep of it when a
run is stopped or memory runs out: it is worked out again from what is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.buffers import SpareBuffers
from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.chunks.grid import ChunkGrid, ChunkIndex, Slices, indices
from napari_tessera.writing.chunks.keys import delete_chunks, stored_chunks
from napari_tessera.writing.chunks.level_chunks import made_of_below, source_of

DEFAULT_PYRAMID_LIMIT = 256 * 2**20
"""Bytes of begun chunks of all upper levels; they take half of what the first level's take."""


class Pyramid:
    """Writes each chunk of the upper levels once, when all that it is made of is written.

    Where arrays have shards, a shard is the unit. Not thread-safe: one writer, one thread.

    Parameters
    ----------
    arrays : sequence of zarr.Array
        All levels, the full size first; that one is written by others, and read here where
        pixels have to be looked up. Nothing else may write to the upper ones.
    factors : sequence of sequence of int
        Of each level, the first too: how many pixels of the level before become one, along each
        axis (see `Level.factors`).
    memory_limit : int, default 256 MiB
        Bytes of begun chunks to keep. Beyond it the ones touched longest ago are forgotten, and
        made from the stored level below when that is complete.
    coverage : Coverage, optional
        What of the first level comes; None for all. Chunks of which nothing comes are not written,
        nor are those above that are made of nothing else.
    """

    def __init__(
        self,
        arrays: Sequence[zarr.Array[Any]],
        factors: Sequence[Sequence[int]],
        *,
        memory_limit: int = DEFAULT_PYRAMID_LIMIT,
        coverage: Coverage | None = None,
    ) -> None:
        self.arrays = tuple(arrays)
        self.memory_limit = memory_limit
        self._factors = tuple(tuple(int(factor) for factor in level) for level in factors)
        self._grids = tuple(ChunkGrid.of(array) for array in arrays)
        self._writers = tuple(ChunkWriter(array) for array in arrays)
        self._written = [np.zeros(grid.counts, dtype=bool) for grid in self._grids]
        self._held: OrderedDict[tuple[int, ChunkIndex], NDArray[Any]] = OrderedDict()
        self._held_bytes = 0
        self._spare = SpareBuffers()
        self._partial: set[tuple[int, ChunkIndex]] = set()
        self._absent = self._never_written(coverage)

    def _never_written(self, coverage: Coverage | None) -> list[NDArray[np.bool_]]:
        """Of each level the chunks that stay absent, as nothing comes of what they are made of."""
        if coverage is None:
            return [np.broadcast_to(np.False_, grid.counts) for grid in self._grids]
        absent = [coverage.absent(self._grids[0])]
        for level in range(1, len(self.arrays)):
            above = np.ones(self._grids[level].counts, bool)
            for chunk in map(tuple, np.argwhere(~absent[-1]).tolist()):
                above[self._above(level, chunk)] = False
            absent.append(above)
        return absent

    @property
    def held_bytes(self) -> int:
        """Bytes of begun chunks in memory."""
        return self._held_bytes

    @property
    def complete(self) -> bool:
        """Whether every chunk of every level is written whole, but those that stay absent."""
        return all(
            bool((written | absent).all())
            for written, absent in zip(self._written, self._absent, strict=True)
        )

    def note_complete(self, chunk: ChunkIndex) -> None:
        """Count a chunk of the first level as whole that an earlier run left; then `restore`."""
        self._written[0][chunk] = True

    def restore(self, *, anew: bool = False) -> None:
        """Make the upper levels those of the chunks that an earlier run left whole.

        Upper chunks of which something is missing below are deleted: they may have been written
        by `flush`. Those that are missing, all below being there, are written.

        Parameters
        ----------
        anew : bool, default False
            Write all of these: what there is may have been made before all below it was there.
        """
        for level in range(1, len(self.arrays)):
            stored = stored_chunks(self.arrays[level])
            ready = {chunk for chunk in self._grids[level] if self._ready(level, chunk)}
            delete_chunks(self.arrays[level], sorted(stored - ready))
            for chunk in sorted(ready):
                if anew or chunk not in stored:
                    self._write(level, chunk, self._made(level, chunk))
                self._written[level][chunk] = True

    def take(self, chunk: ChunkIndex, pixels: NDArray[Any]) -> None:
        """Take a chunk of the first level that was just written whole.

        Parameters
        ----------
        chunk : tuple of int
            Its index.
        pixels : numpy.ndarray
            What was written; not kept.

        Raises
        ------
        OSError
            Whatever deleting and writing raises. While what `flush` wrote cannot be deleted, it is
            raised again for the same chunk, whose tiles must not count as done: `restore` would
            take that for whole. What cannot be written is left to `finish`.
        """
        came_before = bool(self._written[0][chunk])
        if not came_before:
            # whatever fails after this, `finish` knows of the chunk
            self._put(0, chunk, pixels)
        # what is stored of the upper levels is whole again
        while self._partial:
            level, upper = next(iter(self._partial))
            delete_chunks(self.arrays[level], [upper])
            self._partial.remove((level, upper))
        if came_before:
            return
        self._write_ready(0, chunk)
        while self._held_bytes > self.memory_limit:
            self._forget(next(iter(self._held)))

    def flush(self) -> None:
        """Write the begun upper chunks from what is stored below, for whoever looks at it now.

        Pixels of which nothing is there stay the fill value. What is written is not counted as
        whole: more chunks may come, and `restore` deletes it.
        """
        self._write_missed()
        stored = stored_chunks(self.arrays[0])
        for level in range(1, len(self.arrays)):
            begun = {
                upper
                for chunk in stored
                for upper in indices(self._above(level, chunk))
                if not self._written[level][upper]
            }
            for upper in sorted(begun):
                self._partial.add((level, upper))
                self._write(level, upper, self._made(level, upper))
            stored = begun | {tuple(map(int, at)) for at in np.argwhere(self._written[level])}

    def finish(self) -> None:
        """Write the upper chunks that failed to be written before; then all are there.

        Raises
        ------
        ValueError
            If not all chunks of the first level came.
        """
        self._write_missed()
        if not self.complete:
            missing = int(np.count_nonzero(~self._written[0] & ~self._absent[0]))
            raise ValueError(
                f"{missing} chunks of the full size are not written: levels are finished last"
            )

    def _write_missed(self) -> None:
        """Write the upper chunks that are not, though all below them is."""
        for level in range(1, len(self.arrays)):
            missed = ~self._written[level] & ~self._absent[level]
            for chunk in map(tuple, np.argwhere(missed).tolist()):
                if self._ready(level, chunk) and not self._written[level][chunk]:
                    self._write_whole(level, chunk)

    def _put(self, level: int, chunk: ChunkIndex, pixels: NDArray[Any]) -> None:
        """Note a chunk as written, and hold its pixels for the level above."""
        self._written[level][chunk] = True
        above = level + 1
        if above == len(self.arrays):
            return
        small: NDArray[Any] | None = None
        for upper in indices(self._above(above, chunk)):
            if self._begins(above, upper) or (above, upper) in self._held:
                if small is None:
                    small = downsample(pixels, self._factors[above])
                self._hold(above, upper, self._grids[level].region(chunk), small)

    def _write_ready(self, level: int, chunk: ChunkIndex) -> None:
        """Write the chunks above one that are complete with it, and those above them."""
        above = level + 1
        if above == len(self.arrays):
            return
        for upper in indices(self._above(above, chunk)):
            if self._ready(above, upper):
                self._write_whole(above, upper, self._held.get((above, upper)))

    def _write_whole(
        self, level: int, chunk: ChunkIndex, pixels: NDArray[Any] | None = None
    ) -> None:
        """Write a chunk all below which is there, then what is complete with it."""
        pixels = self._made(level, chunk) if pixels is None else pixels
        self._write(level, chunk, pixels)
        self._partial.discard((level, chunk))
        self._put(level, chunk, pixels)
        # only now: its buffer is used again
        self._forget((level, chunk))
        self._write_ready(level, chunk)

    def _begins(self, level: int, chunk: ChunkIndex) -> bool:
        """Whether a chunk can be put together in memory, from the one below that just came.

        Not if others came before and are not held, or never come, and not if chunks below end
        between pixels that become one.
        """
        below = self._below(level, chunk)
        if np.count_nonzero(self._written[level - 1][below]) > 1:
            return False
        if self._absent[level - 1][below].any():
            return False
        return all(
            at.stop - at.start == 1 or length % factor == 0
            for at, length, factor in zip(
                below, self._grids[level - 1].lengths, self._factors[level], strict=True
            )
        )

    def _hold(self, level: int, chunk: ChunkIndex, base: Slices, small: NDArray[Any]) -> None:
        key = (level, chunk)
        held = self._held.get(key)
        if held is None:
            held = self._spare.take(self._grids[level].size(chunk), self.arrays[level].dtype)
            self._held[key] = held
            self._held_bytes += held.nbytes
        self._held.move_to_end(key)
        within, source = self._grids[level].overlap(
            chunk,
            [
                slice(part.start // factor, -(-part.stop // factor))
                for part, factor in zip(base, self._factors[level], strict=True)
            ],
        )
        held[within] = small[source]

    def _forget(self, key: tuple[int, ChunkIndex]) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._held_bytes -= held.nbytes
            self._spare.give_back(held)

    def _ready(self, level: int, chunk: ChunkIndex) -> bool:
        below = self._below(level, chunk)
        there = self._written[level - 1][below] | self._absent[level - 1][below]
        return bool(there.all()) and not self._absent[level][chunk]

    def _below(self, level: int, chunk: ChunkIndex) -> Slices:
        """Chunks of the level below that a chunk is made of."""
        below = self._grids[level - 1]
        return below.meeting(
            source_of(self._grids[level].region(chunk), below, self._factors[level])
        )

    def _above(self, level: int, chunk: ChunkIndex) -> Slices:
        """Chunks of a level that a chunk of the one below is part of."""
        return self._grids[level].meeting(
            [
                slice(part.start // factor, -(-part.stop // factor))
                for part, factor in zip(
                    self._grids[level - 1].region(chunk), self._factors[level], strict=True
                )
            ]
        )

    def _made(self, level: int, chunk: ChunkIndex) -> NDArray[Any]:
        """A chunk made of what is stored below."""
        below, own = self.arrays[level - 1], self.arrays[level]
        return made_of_below(below, own, self._factors[level], chunk)

    def _write(self, level: int, chunk: ChunkIndex, pixels: NDArray[Any]) -> None:
        self._writers[level].write(chunk, pixels)
