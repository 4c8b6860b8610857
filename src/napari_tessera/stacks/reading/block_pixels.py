"""Arrays that can be read in whole blocks only, of which decoded ones are kept for a while."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks.array import Index
from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.patch_index import spans_of
from napari_tessera.stacks.reading.block_cache import BlockCache

_CACHED_BYTES = 64 * 2**20

Cell = tuple[int, ...]
"""Number of a block along each axis."""


class UnreadableBlockError(OSError):
    """A block cannot be read; the message says which, and why."""


class BlockPixels(ABC):
    """Array-like that reads the blocks that meet what is wanted, and keeps 64 MiB of them.

    Parameters
    ----------
    dims : str
        What messages call the axes, one letter each.
    chunks : sequence of sequences of int
        Sizes of the blocks along each axis.
    dtype : numpy.dtype
        Type of the pixels.
    """

    gives_new_arrays = True
    """What is read is nobody else's memory, so that no copy of it is needed."""

    keeps_chunks = True
    """What is decoded is kept for a while, also where nobody asks for that."""

    def __init__(self, dims: str, chunks: Sequence[Sequence[int]], dtype: np.dtype[Any]) -> None:
        self._dims = dims
        self._edges = [(0, *accumulate(int(size) for size in sizes)) for sizes in chunks]
        self._blocks: BlockCache[Cell] = BlockCache(_CACHED_BYTES)
        self.shape = tuple(edges[-1] for edges in self._edges)
        """Size of each axis."""
        self.dtype = dtype
        """Type of the pixels."""
        self.chunks: tuple[int, ...] | None = tuple(int(max(sizes)) for sizes in chunks)
        """Shape of the largest block."""

    @abstractmethod
    def read_block(self, cell: Cell, part: tuple[slice, ...]) -> NDArray[np.generic]:
        """Read one block. Several threads may do so at once, each another one.

        Parameters
        ----------
        cell : tuple of int
            Number of the block along each axis.
        part : tuple of slice
            What the block covers.
        """

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        spans = spans_of(index)
        cells = (
            range(bisect_right(edges, start) - 1, bisect_left(edges, stop))
            for (start, stop), edges in zip(spans, self._edges, strict=True)
        )
        target = np.empty([stop - start for start, stop in spans], self.dtype)
        for cell in product(*cells):
            part = self._part(cell)
            block = self._blocks.get(cell, partial(self._make, cell, part))
            bounds = [
                (max(start, own.start), min(stop, own.stop))
                for (start, stop), own in zip(spans, part, strict=True)
            ]
            inner = tuple(
                slice(low - start, high - start)
                for (low, high), (start, _) in zip(bounds, spans, strict=True)
            )
            outer = tuple(
                slice(low - own.start, high - own.start)
                for (low, high), own in zip(bounds, part, strict=True)
            )
            target[inner] = block[outer]
        kept = zip(target.shape, index, strict=True)
        return target.reshape([length for length, i in kept if isinstance(i, slice)])

    def close(self) -> None:
        """Forget what was decoded."""
        self._blocks.clear()

    def _part(self, cell: Cell) -> tuple[slice, ...]:
        return tuple(
            slice(edges[at], edges[at + 1]) for edges, at in zip(self._edges, cell, strict=True)
        )

    def _make(self, cell: Cell, part: tuple[slice, ...]) -> NDArray[np.generic]:
        try:
            block = np.asarray(self.read_block(cell, part))
            expected = tuple(own.stop - own.start for own in part)
            if block.shape != expected:
                raise ValueError(f"{block.shape} pixels were read instead of {expected}")
        except MemoryError:
            raise
        except Exception as error:
            place = self._place(part)
            raise UnreadableBlockError(f"{place}{error_line(error)}") from error
        return block

    def _place(self, part: tuple[slice, ...]) -> str:
        """Where a block lies, along the axes that it does not cover."""
        spans = [
            f"{letter}={own.start}" + (f"…{own.stop - 1}" if own.stop - own.start > 1 else "")
            for letter, own, size in zip(self._dims, part, self.shape, strict=True)
            if own.stop - own.start < size
        ]
        return f"block {' '.join(spans)}: " if spans else ""
