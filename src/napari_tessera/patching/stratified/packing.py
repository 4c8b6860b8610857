"""Regions that share indices: bin packing by their expected numbers of patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9
_SHELVES = 4096


@dataclass(frozen=True, eq=False)
class Packing:
    """Which regions an index may draw from, and how likely each of them is.

    Made by `pack`. The first indices belong to one region each, the others are shared.

    Parameters
    ----------
    own : ndarray of int
        Region of each of the first indices.
    bounds : ndarray of int
        Shared index i has the entries bounds[i] … bounds[i + 1] − 1 of the next two.
    regions : ndarray of int
        Regions that share an index.
    shares : ndarray of float
        Their probabilities; those of an index sum to at most 1.
    """

    own: NDArray[np.int64]
    bounds: NDArray[np.int64]
    regions: NDArray[np.int64]
    shares: NDArray[np.float64]

    def entries(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Regions of an index and the probability of each."""
        if index < len(self.own):
            return self.own[index : index + 1], np.ones(1)
        start, stop = self.bounds[index - len(self.own) : index - len(self.own) + 2]
        return self.regions[start:stop], self.shares[start:stop]


def pack(regions: NDArray[np.int64], shares: NDArray[np.float64], n_indices: int) -> Packing:
    """Lay the shares of regions on indices, so that no more than 1 comes to lie on any.

    Whole parts get indices of their own. The remaining parts are packed by best fit, the largest
    first; what then fits nowhere is cut up over the space that is left (McNaughton, Management
    Science 6, 1959), so that no space is lost.

    Parameters
    ----------
    regions : ndarray of int
        Numbers of the regions.
    shares : ndarray of float
        Expected number of patches of each.
    n_indices : int
        At least the sum of the shares.
    """
    # A share that misses a whole number by rounding is one.
    whole = np.floor(shares + _ROUNDING)
    parts = np.maximum(shares - whole, 0)
    own = np.repeat(regions, whole.astype(np.int64))
    n_bins = n_indices - len(own)

    small = np.flatnonzero(parts > _ROUNDING)
    order = small[np.argsort(-parts[small], kind="stable")]
    bins, spaces = _best_fit(parts[order], n_bins)
    placed = bins >= 0
    items, gaps, pieces = _cut_up(parts[order[~placed]], spaces)

    bins = np.concatenate([bins[placed], gaps])
    packed = np.concatenate([order[placed], order[~placed][items]])
    packed_shares = np.concatenate([parts[order[placed]], pieces])
    by_bin = np.argsort(bins, kind="stable")
    return Packing(
        own=own,
        bounds=np.searchsorted(bins[by_bin], np.arange(n_bins + 1)),
        regions=regions[packed[by_bin]],
        shares=packed_shares[by_bin],
    )


def _best_fit(
    sizes: NDArray[np.float64], n_bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bin of each size (−1 where none has space enough), and the space left in each bin.

    Bins stand on shelves by the space that is left in them, in steps of 1/4096. The next shelf
    that is not empty is found in the bits of one number: so a million sizes take seconds, where
    looking through all bins would take hours.
    """
    spaces = [1.0] * n_bins
    shelves: list[list[int]] = [[] for _ in range(_SHELVES)]
    shelves.append(list(range(n_bins - 1, -1, -1)))
    filled = 1 << _SHELVES if n_bins else 0
    bins = []
    for size in sizes.tolist():
        shelf = int(size * _SHELVES)
        same = shelves[shelf]
        # On the shelf of the size itself a bin may have space enough; on those above all have.
        if not same or spaces[same[-1]] < size - _ROUNDING:
            above = filled >> (shelf + 1)
            if not above:
                bins.append(-1)
                continue
            shelf += (above & -above).bit_length()
        chosen = shelves[shelf].pop()
        if not shelves[shelf]:
            filled ^= 1 << shelf
        bins.append(chosen)
        spaces[chosen] = max(0.0, spaces[chosen] - size)
        shelf = int(spaces[chosen] * _SHELVES)
        shelves[shelf].append(chosen)
        filled |= 1 << shelf
    return np.array(bins, dtype=np.int64), np.array(spaces)


def _cut_up(
    sizes: NDArray[np.float64], spaces: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pieces of sizes in the spaces: number of the size, number of the space, length.

    Sizes and spaces are each laid end to end; every end, of a size or of a space, is a cut.
    """
    # The widest spaces first: so there are the fewest cuts.
    by_width = np.argsort(-spaces, kind="stable")
    size_ends = np.cumsum(sizes)
    space_ends = np.cumsum(spaces[by_width])
    cuts = np.unique(np.concatenate([[0.0], size_ends, space_ends]))
    lengths = np.diff(cuts)
    middles = cuts[:-1] + lengths / 2
    items = np.searchsorted(size_ends, middles)
    gaps = np.searchsorted(space_ends, middles)
    kept = (items < len(sizes)) & (gaps < len(spaces)) & (lengths > _ROUNDING)
    return items[kept], by_width[gaps[kept]], lengths[kept]
