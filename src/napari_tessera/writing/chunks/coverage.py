"""What of an array tiles bring, where some of them are skipped.

A chunk is complete when all came of it that will come; one of which nothing will is not written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tessera.writing.chunks.grid import ChunkGrid

Cuts = NDArray[np.int64]
"""Ascending ends of n cells along an axis, from 0 to the axis' size: n + 1 of them."""


@dataclass(frozen=True)
class Coverage:
    """An array cut into cells, each of which comes as a whole or not at all.

    Parameters
    ----------
    cuts : tuple of numpy.ndarray
        Ends of the cells along each axis of the array.
    comes : numpy.ndarray of bool
        Whether a cell comes; 1 long along an axis in which it makes no difference.

    Raises
    ------
    ValueError
        If their sizes do not go together.
    """

    cuts: tuple[Cuts, ...]
    comes: NDArray[np.bool_]

    def __post_init__(self) -> None:
        cells = [len(cuts) - 1 for cuts in self.cuts]
        if len(cells) != self.comes.ndim or any(
            size not in (1, n) for size, n in zip(self.comes.shape, cells, strict=True)
        ):
            raise ValueError(f"{self.comes.shape} cells in {cells} places")

    def missing(self, block: Sequence[slice]) -> int:
        """Number of pixels of a block of the array that do not come."""
        total, parts, weights = 1, [], []
        for cuts, part, n in zip(self.cuts, block, self.comes.shape, strict=True):
            total *= part.stop - part.start
            if n == 1:
                parts.append(slice(0, 1))
                weights.append(np.array([part.stop - part.start]))
                continue
            first = int(np.searchsorted(cuts, part.start, "right")) - 1
            last = int(np.searchsorted(cuts, part.stop, "left"))
            parts.append(slice(first, last))
            weights.append(np.diff(np.clip(cuts[first : last + 1], part.start, part.stop)))
        coming = self.comes[tuple(parts)].astype(np.int64)
        for along in reversed(weights):
            coming = coming @ along
        return total - int(coming)

    def absent(self, grid: ChunkGrid) -> NDArray[np.bool_]:
        """Chunks of the array of which nothing comes, over the grid of chunks."""
        some = self.comes
        for axis, (cuts, length, count) in enumerate(
            zip(self.cuts, grid.lengths, grid.counts, strict=True)
        ):
            if some.shape[axis] == 1:
                continue
            starts = np.arange(count) * length
            stops = np.minimum(starts + length, cuts[-1])
            first = np.searchsorted(cuts, starts, "right") - 1
            last = np.searchsorted(cuts, stops, "left")
            before = np.zeros([1 if at == axis else n for at, n in enumerate(some.shape)], np.int64)
            sums = np.concatenate([before, some.cumsum(axis=axis)], axis=axis)
            some = sums.take(last, axis) > sums.take(first, axis)
        return np.broadcast_to(~some, grid.counts)
