"""How many patches each region gives per epoch, and which index draws from which regions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import ceil, floor, prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.stratified.axis import scaled
from napari_tessera.patching.stratified.grid import RegionGrid, WeightClass, n_cells
from napari_tessera.patching.stratified.packing import Packing, pack

_ROUNDING = 1e-9


class Shares(Protocol):
    """Expected number of patches of each region of a sample, laid on its indices.

    An epoch is one patch for each index 0…n_patches − 1. The sum of the shares is rounded up to
    the number of patches; what that adds, less than one patch per epoch, is the spare share.
    """

    @property
    def n_patches(self) -> int:
        """Number of patches per epoch."""
        ...

    def region(self, index: int, uniform: float) -> int | None:
        """Region that an index draws from, None for the spare share.

        Parameters
        ----------
        index : int
            0…n_patches − 1.
        uniform : float
            Random number, uniform on [0, 1).
        """
        ...

    def spare_region(self, uniform: float) -> int:
        """Region for a patch of the spare share, from a number that is uniform on [0, 1).

        Those that may have it (see `RegionGrid.classes`) are chosen by their weights.
        """
        ...


class _Line:
    """Regions of some boxes laid end to end, each so many parts long."""

    def __init__(self, grid: RegionGrid, lengths: Iterable[tuple[WeightClass, int]]) -> None:
        self._grid = grid
        self._boxes = [(of_class.box, length) for of_class, length in lengths if length]
        self._ends = list(
            accumulate((n_cells(box) * length for box, length in self._boxes), initial=0)
        )

    @property
    def length(self) -> int:
        """Number of parts of all."""
        return self._ends[-1]

    def region(self, part: int) -> int:
        """Region that a part belongs to."""
        number = bisect_right(self._ends, part) - 1
        box, length = self._boxes[number]
        return self._grid.number(box, (part - self._ends[number]) // length)


@dataclass(frozen=True, eq=False)
class PlainShares:
    """The share of a region is its weight, and patches are drawn from all of them.

    Whole parts have indices of their own. What is left is laid end to end and cut after every
    patch, so an index draws from neighbours. All is computed from the index, in whole numbers:
    there is no table, whatever the number of regions.

    Parameters
    ----------
    grid : RegionGrid
        Regions of the sample.
    """

    grid: RegionGrid

    @cached_property
    def n_patches(self) -> int:
        """Number of patches per epoch: Π s/p, rounded up."""
        return self._own.length + -(-self._shared.length // self._one)

    def region(self, index: int, uniform: float) -> int | None:
        """Region that an index draws from, None for the spare share."""
        own = self._own
        if index < own.length:
            return own.region(index)
        part = (index - own.length) * self._one + scaled(uniform, self._one)
        return self._shared.region(part) if part < self._shared.length else None

    def spare_region(self, uniform: float) -> int:
        """Region for a patch of the spare share."""
        spare = self._spare
        return spare.region(scaled(uniform, spare.length))

    @cached_property
    def _one(self) -> int:
        """Number of parts of one patch: every weight is a whole number of them."""
        return prod(axis.denominator for axis in self.grid.axes)

    @cached_property
    def _own(self) -> _Line:
        return _Line(self.grid, ((of, floor(of.weight)) for of in self.grid.classes()))

    @cached_property
    def _shared(self) -> _Line:
        return _Line(
            self.grid, ((of, int(of.weight % 1 * self._one)) for of in self.grid.classes())
        )

    @cached_property
    def _spare(self) -> _Line:
        return _Line(
            self.grid,
            ((of, int(of.weight * self._one)) for of in self.grid.classes() if of.takes_spare),
        )


@dataclass(frozen=True, eq=False)
class EvenShares:
    """The share of a region is its weight, but for regions that no patch is drawn from.

    Parameters
    ----------
    grid : RegionGrid
        Regions of the sample.
    active : ndarray of bool
        Regions that patches are drawn from, in the shape of the grid.
    """

    grid: RegionGrid
    active: NDArray[np.bool_]

    @cached_property
    def n_patches(self) -> int:
        """Number of patches per epoch: the sum of the weights, rounded up."""
        return ceil(self._sum)

    def region(self, index: int, uniform: float) -> int | None:
        """Region that an index draws from, None for the spare share."""
        alone = self._alone
        if index < len(alone):
            return int(alone[index])
        return _drawn(self._packing, index - len(alone), uniform, self._sum.denominator > 1)

    def spare_region(self, uniform: float) -> int:
        """Region for a patch of the spare share."""
        regions, ends = self._spare
        at = int(np.searchsorted(ends, uniform * ends[-1], side="right"))
        return int(regions[min(at, len(regions) - 1)])

    @cached_property
    def _sum(self) -> Fraction:
        # In whole numbers: a sum of 8 must not come out a little above 8.
        return sum(
            (
                of.weight * int(np.count_nonzero(self.active[_slices(of)]))
                for of in self.grid.classes()
            ),
            start=Fraction(0),
        )

    @cached_property
    def _alone(self) -> NDArray[np.int64]:
        """Active regions that weigh 1: most of them, so they are not packed."""
        alone = self.active.copy()
        for of in self.grid.classes():
            if of.weight != 1:
                alone[_slices(of)] = False
        return np.flatnonzero(alone)

    @cached_property
    def _packing(self) -> Packing:
        regions, weights = self._of(of for of in self.grid.classes() if of.weight != 1)
        return pack(regions, weights, self.n_patches - len(self._alone))

    @cached_property
    def _spare(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        regions, weights = self._of(of for of in self.grid.classes() if of.takes_spare)
        return regions, np.cumsum(weights)

    def _of(self, classes: Iterable[WeightClass]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Active regions of some classes, and their weights."""
        active = self.active.ravel()
        regions = [np.zeros(0, dtype=np.int64)]
        weights = [np.zeros(0)]
        for of in classes:
            numbers = self.grid.numbers(of.box)
            regions.append(numbers[active[numbers]])
            weights.append(np.full(len(regions[-1]), float(of.weight)))
        return np.concatenate(regions), np.concatenate(weights)


@dataclass(frozen=True, eq=False)
class GradedShares:
    """The share of a region is its weight times its probability, times one factor for all.

    With weights w and probabilities q, the number of patches n is Σ (m·(w − 1) + q), rounded up
    and at least 1, m being the largest q; shares are n·w·q / Σ w·q. So n is Σ q where all weights
    are 1, and q·Σ w where all q are alike. Else, as long as one q is 1, it is Σ (1 − q) less than
    it was. A region whose weight is below 1 − q/m takes from n, so n rises by less than one patch
    when it is excluded.

    Parameters
    ----------
    grid : RegionGrid
        Regions of the sample.
    active : ndarray of bool
        Regions that patches are drawn from, in the shape of the grid; at least one.
    probs : ndarray of float
        Probabilities in the shape of the grid, above 0 where a region is active.
    """

    grid: RegionGrid
    active: NDArray[np.bool_]
    probs: NDArray[np.float64]

    @cached_property
    def n_patches(self) -> int:
        """Number of patches per epoch; at least 1."""
        weights, probs, largest = self._weights_and_probs()
        total = largest * float((weights - 1 + probs).sum())
        return max(1, ceil(total - _ROUNDING * max(1.0, total)))

    def region(self, index: int, uniform: float) -> int:
        """Region that an index draws from."""
        region = _drawn(self._packing, index, uniform, False)
        assert region is not None
        return region

    def spare_region(self, uniform: float) -> int:
        """Not asked for: the shares sum to the number of patches."""
        raise AssertionError("graded shares leave nothing over")

    @cached_property
    def _packing(self) -> Packing:
        weights, probs, _ = self._weights_and_probs()
        shares = weights * probs
        shares *= self.n_patches / shares.sum()
        return pack(np.flatnonzero(self.active), shares, self.n_patches)

    def _weights_and_probs(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Weights, probabilities relative to the largest (so that none vanish), the largest."""
        probs = self.probs[self.active]
        largest = float(probs.max())
        return self.grid.weights()[self.active], probs / largest, largest


def _slices(of: WeightClass) -> tuple[slice, ...]:
    return tuple(slice(along.start, along.stop) for along in of.box)


def _drawn(packing: Packing, index: int, uniform: float, has_spare: bool) -> int | None:
    """Region that an index of a packing draws from; None where its shares leave space over."""
    regions, shares = packing.entries(index)
    ends = np.cumsum(shares)
    if not has_spare:
        # Then only rounding keeps the last end from being 1.
        uniform *= ends[-1]
    entry = int(np.searchsorted(ends, uniform, side="right"))
    if has_spare and entry == len(regions):
        return None
    return int(regions[min(entry, len(regions) - 1)])
