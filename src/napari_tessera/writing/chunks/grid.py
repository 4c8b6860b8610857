"""Where the chunks of an array lie, and which of them a block meets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import zarr

ChunkIndex = tuple[int, ...]
Slices = tuple[slice, ...]


@dataclass(frozen=True)
class ChunkGrid:
    """The cut of an array into what is stored under one key: chunks, or shards where it has them.

    Parameters
    ----------
    shape : tuple of int
        The array's shape.
    lengths : tuple of int
        Length of a chunk along each axis; those at the far edges are cut.
    """

    shape: tuple[int, ...]
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> ChunkGrid:
        """Grid of an array's shards, or of its chunks where it has none."""
        return cls(array.shape, array.shards or array.chunks)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return tuple(
            -(-size // length) for size, length in zip(self.shape, self.lengths, strict=True)
        )

    def __iter__(self) -> Iterator[ChunkIndex]:
        return product(*map(range, self.counts))

    def size(self, chunk: ChunkIndex) -> tuple[int, ...]:
        """Shape of a chunk inside the array."""
        return tuple(
            min(length, size - at * length)
            for at, length, size in zip(chunk, self.lengths, self.shape, strict=True)
        )

    def region(self, chunk: ChunkIndex) -> Slices:
        """The pixels of a chunk, as slices of the array."""
        return tuple(
            slice(at * length, at * length + size)
            for at, length, size in zip(chunk, self.lengths, self.size(chunk), strict=True)
        )

    def meeting(self, block: Sequence[slice]) -> Slices:
        """Chunks that a block of the array meets, as slices of chunk indices."""
        return tuple(
            slice(part.start // length, (part.stop - 1) // length + 1)
            for part, length in zip(block, self.lengths, strict=True)
        )

    def overlap(self, chunk: ChunkIndex, block: Sequence[slice]) -> tuple[Slices, Slices]:
        """The pixels that a chunk and a block of the array share, as slices of each."""
        within, source = [], []
        # for each chunk of each tile: no slices in between
        for at, length, part in zip(chunk, self.lengths, block, strict=True):
            own = at * length
            start, stop = max(own, part.start), min(own + length, part.stop)
            within.append(slice(start - own, stop - own))
            source.append(slice(start - part.start, stop - part.start))
        return tuple(within), tuple(source)


def indices(block: Sequence[slice]) -> Iterator[ChunkIndex]:
    """Every index of a block, in C order."""
    return product(*(range(part.start, part.stop) for part in block))
