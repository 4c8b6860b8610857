"""Writing each chunk of a Zarr array once, however the tiles lie over the chunks.

A tile's core rarely ends on a chunk edge. Written as they come, cores would make Zarr read, unpack,
change, pack and write every chunk several times. The assembler keeps the chunks that are begun in
memory and writes each when its last pixel came. Where an array has shards, a shard is the unit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

DEFAULT_MEMORY_LIMIT = 512 * 2**20
"""Bytes of begun chunks to hold; 512 MiB is a row of chunks of a plane 130,000 pixels wide, or
32 planes of 2000 × 2000."""

ChunkIndex = tuple[int, ...]


@dataclass
class _Begun:
    """What came of a chunk so far."""

    pixels: int = 0
    tiles: set[Hashable] = field(default_factory=set)
    unwritten: list[Hashable] = field(default_factory=list)

    def count(self, tile: Hashable, within: tuple[slice, ...]) -> None:
        """Add a tile that covers a part of the chunk."""
        self.tiles.add(tile)
        self.pixels += prod(part.stop - part.start for part in within)


class ChunkAssembler:
    """Collects blocks of pixels into chunks. Not thread-safe: one writer, one thread.

    Parameters
    ----------
    array : zarr.Array
        Array to write to, new or partly written. Nothing else may write to it.
    memory_limit : int, default 512 MiB
        Bytes of begun chunks to keep in memory. Beyond it the ones touched longest ago are
        written unfinished and read back when their next block comes.
    """

    def __init__(self, array: zarr.Array[Any], *, memory_limit: int = DEFAULT_MEMORY_LIMIT) -> None:
        self.array = array
        self.memory_limit = memory_limit
        self.chunk_shape: tuple[int, ...] = array.shards or array.chunks
        grid = tuple(
            -(-size // length) for size, length in zip(array.shape, self.chunk_shape, strict=True)
        )
        self._complete = np.zeros(grid, dtype=bool)
        self._begun: dict[ChunkIndex, _Begun] = {}
        self._open: OrderedDict[ChunkIndex, NDArray[Any]] = OrderedDict()
        self._waiting_for: dict[Hashable, int] = {}
        self._durable: list[Any] = []
        self._held = 0

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
        """
        if tile in self._waiting_for:
            return
        chunks = [chunk for chunk in self._meeting(target) if not self._has(chunk, tile)]
        if not chunks:
            self._durable.append(tile)
            return
        self._waiting_for[tile] = len(chunks)
        for chunk in chunks:
            begun = self._begun.setdefault(chunk, _Begun())
            buffer = self._buffer(chunk)
            within, source = self._overlap(chunk, target)
            buffer[within] = block[source]
            begun.count(tile, within)
            begun.unwritten.append(tile)
            if begun.pixels == buffer.size:
                self._write(chunk)
        while self._held > self.memory_limit:
            self._write(next(iter(self._open)))

    def note_durable(self, target: Sequence[slice], tile: Hashable) -> None:
        """Count a block as written that an earlier run left in the array."""
        for chunk in self._meeting(target):
            begun = self._begun.setdefault(chunk, _Begun())
            within, _ = self._overlap(chunk, target)
            begun.count(tile, within)
            if begun.pixels == prod(self._size(chunk)):
                self._complete[chunk] = True
                del self._begun[chunk]

    def flush(self) -> None:
        """Write all chunks in memory, finished or not."""
        while self._open:
            self._write(next(iter(self._open)))

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

    def _meeting(self, target: Sequence[slice]) -> Iterator[ChunkIndex]:
        return product(
            *(
                range(part.start // length, (part.stop - 1) // length + 1)
                for part, length in zip(target, self.chunk_shape, strict=True)
            )
        )

    def _size(self, chunk: ChunkIndex) -> tuple[int, ...]:
        """Shape of a chunk inside the array: those at the far edges are cut."""
        return tuple(
            min(length, size - at * length)
            for at, length, size in zip(chunk, self.chunk_shape, self.array.shape, strict=True)
        )

    def _region(self, chunk: ChunkIndex) -> tuple[slice, ...]:
        return tuple(
            slice(at * length, at * length + size)
            for at, length, size in zip(chunk, self.chunk_shape, self._size(chunk), strict=True)
        )

    def _overlap(
        self, chunk: ChunkIndex, target: Sequence[slice]
    ) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """The pixels that a chunk and a block share, as slices of each."""
        within, source = [], []
        for own, part in zip(self._region(chunk), target, strict=True):
            start, stop = max(own.start, part.start), min(own.stop, part.stop)
            within.append(slice(start - own.start, stop - own.start))
            source.append(slice(start - part.start, stop - part.start))
        return tuple(within), tuple(source)

    def _buffer(self, chunk: ChunkIndex) -> NDArray[Any]:
        buffer = self._open.get(chunk)
        if buffer is None:
            if self._begun[chunk].pixels:
                buffer = np.array(self.array[self._region(chunk)])
            else:
                buffer = np.full(self._size(chunk), self.array.fill_value, self.array.dtype)
            self._open[chunk] = buffer
            self._held += buffer.nbytes
        self._open.move_to_end(chunk)
        return buffer

    def _write(self, chunk: ChunkIndex) -> None:
        buffer = self._open[chunk]
        self.array[self._region(chunk)] = buffer
        del self._open[chunk]
        self._held -= buffer.nbytes
        begun = self._begun[chunk]
        for tile in begun.unwritten:
            self._settle(tile)
        begun.unwritten.clear()
        if begun.pixels == buffer.size:
            self._complete[chunk] = True
            del self._begun[chunk]

    def _settle(self, tile: Hashable) -> None:
        """Note that one of the chunks that a tile waits for is written."""
        self._waiting_for[tile] -= 1
        if not self._waiting_for[tile]:
            del self._waiting_for[tile]
            self._durable.append(tile)
