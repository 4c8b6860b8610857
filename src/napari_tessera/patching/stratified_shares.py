"""How many patches each region gives per epoch, and which index draws from which regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.stratified_grid import RegionGrid, WeightClass
from napari_tessera.patching.stratified_packing import Packing, pack

_ROUNDING = 1e-9


class Shares(Protocol):
    """Expected number of patches of each region of a sample, laid on its indices.

    An epoch is one patch for each index 0…n_patches − 1.
    """

    @property
    def n_patches(self) -> int:
        """Number of patches per epoch."""
        ...

    @property
    def alone(self) -> Sequence[int] | NDArray[np.int64]:
        """Region of each of the first indices, one region each."""
        ...

    @property
    def packing(self) -> Packing:
        """Regions of the indices after these."""
        ...

    @property
    def spare(self) -> NDArray[np.int64]:
        """Regions whose edge patches, each as likely, are given where no region's share lies."""
        ...


@dataclass(frozen=True, eq=False)
class EvenShares:
    """The share of a region is its weight.

    Their sum is rounded up to the number of patches. What that adds, less than one patch per
    epoch, are edge patches of the regions that weigh more than 1: so nothing is added to pixels
    farther than a patch from the image's far edges. No table is made of regions that weigh 1.

    Parameters
    ----------
    grid : RegionGrid
        Regions of the sample.
    active : ndarray of bool, optional
        Regions that patches are drawn from, in the shape of the grid; None for all.
    """

    grid: RegionGrid
    active: NDArray[np.bool_] | None = None

    @cached_property
    def n_patches(self) -> int:
        """Number of patches per epoch: the sum of the weights, rounded up."""
        return ceil(self._sum)

    @cached_property
    def alone(self) -> Sequence[int] | NDArray[np.int64]:
        """Every active region once, as none weighs less than 1."""
        return range(self.grid.size) if self.active is None else np.flatnonzero(self.active)

    @cached_property
    def packing(self) -> Packing:
        """What regions weigh more than 1."""
        regions, weights = self._heavy
        return pack(regions, weights - 1, self.n_patches - len(self.alone))

    @cached_property
    def spare(self) -> NDArray[np.int64]:
        """Active regions that weigh more than 1, if the sum of the weights is no whole number."""
        return self._heavy[0] if self._sum.denominator > 1 else np.zeros(0, dtype=np.int64)

    @cached_property
    def _sum(self) -> Fraction:
        # In whole numbers: a sum of 8 must not come out a little above 8.
        return sum(
            (of_class.weight * self._count(of_class) for of_class in self.grid.classes()),
            start=Fraction(0),
        )

    def _count(self, of_class: WeightClass) -> int:
        if self.active is None:
            return prod(map(len, of_class.box))
        box = tuple(slice(along.start, along.stop) for along in of_class.box)
        return int(np.count_nonzero(self.active[box]))

    @cached_property
    def _heavy(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Active regions that weigh more than 1, and their weights."""
        regions = [np.zeros(0, dtype=np.int64)]
        weights = [np.zeros(0)]
        for of_class in self.grid.classes():
            if of_class.weight > 1:
                numbers = self.grid.numbers(of_class.box)
                if self.active is not None:
                    numbers = numbers[self.active.ravel()[numbers]]
                regions.append(numbers)
                weights.append(np.full(len(numbers), float(of_class.weight)))
        return np.concatenate(regions), np.concatenate(weights)


@dataclass(frozen=True, eq=False)
class GradedShares:
    """The share of a region is its weight times its probability, times one factor for all.

    With weights w and probabilities q, the number of patches n is Σ (m·(w − 1) + q), rounded up,
    m being the largest q; shares are n·w·q / Σ w·q. So n is Σ q where all weights are 1, and q·Σ w
    where all q are alike. Else, as long as one q is 1, it is Σ (1 − q) less than it was: what the
    last regions weigh more than 1 stays in n, and goes to all regions in proportion.

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
        weights, probs = self._weights_and_probs()
        total = float(probs.max() * (weights - 1).sum() + probs.sum())
        return max(1, ceil(total - _ROUNDING * max(1.0, total)))

    @property
    def alone(self) -> Sequence[int]:
        """None: the packing gives regions their own indices too."""
        return range(0)

    @cached_property
    def packing(self) -> Packing:
        """All shares."""
        weights, probs = self._weights_and_probs()
        shares = weights * probs
        shares *= self.n_patches / shares.sum()
        return pack(np.flatnonzero(self.active), shares, self.n_patches)

    @property
    def spare(self) -> NDArray[np.int64]:
        """None: the shares sum to the number of patches."""
        return np.zeros(0, dtype=np.int64)

    def _weights_and_probs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.grid.weights()[self.active], self.probs[self.active]
