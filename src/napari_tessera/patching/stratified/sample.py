"""Patches of one sample: its exclusions, its probabilities, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.stratified.grid import RegionGrid
from napari_tessera.patching.stratified.shares import (
    EvenShares,
    GradedShares,
    PlainShares,
    Shares,
)


@dataclass(frozen=True, eq=False)
class StratifiedSample:
    """A sample with its exclusions and probabilities; changes make another one.

    Parameters
    ----------
    grid : RegionGrid
        Regions of the sample.
    excluded : ndarray of bool, optional
        Excluded cells, in the shape of the grid.
    probs : ndarray of float, optional
        Probability of every region, 0…1, in the shape of the grid. That of an excluded one is
        kept, without effect.
    """

    grid: RegionGrid
    excluded: NDArray[np.bool_] | None = None
    probs: NDArray[np.float64] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What is kept besides may grow in another thread while this is copied.
        return {"grid": self.grid, "excluded": self.excluded, "probs": self.probs}

    def excluding(self, regions: NDArray[np.int64]) -> StratifiedSample:
        """The same with the cells of these regions excluded, too."""
        before = self.excluded
        excluded = np.zeros(self.grid.shape, dtype=bool) if before is None else before.copy()
        excluded.reshape(-1)[regions] = True
        return StratifiedSample(self.grid, excluded, self.probs)

    def with_probs(
        self, regions: NDArray[np.int64], probs: NDArray[np.float64]
    ) -> StratifiedSample:
        """The same with other probabilities of these regions."""
        changed = np.ones(self.grid.shape) if self.probs is None else self.probs.copy()
        changed.reshape(-1)[regions] = probs
        return StratifiedSample(self.grid, self.excluded, changed)

    @property
    def included(self) -> list[tuple[int, ...]]:
        """Grid coordinates of the cells that are not excluded, in C order."""
        if self.excluded is None:
            return list(np.ndindex(self.grid.shape))
        return [tuple(cell) for cell in np.argwhere(~self.excluded).tolist()]

    @cached_property
    def shares(self) -> Shares:
        """Expected number of patches of each region."""
        if self.probs is None:
            active = None if self.excluded is None else ~self.excluded
        else:
            active = self.probs > 0
            if self.excluded is not None:
                active &= ~self.excluded
            if not (self.probs[active] == 1).all():
                return GradedShares(self.grid, active, self.probs)
        if active is None or active.all():
            return PlainShares(self.grid)
        return EvenShares(self.grid, active)

    def draw(self, index: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Start of a patch for an index 0…n_patches − 1, in pixels."""
        # All at once: threads that share a generator each get numbers that follow one another.
        which, spare, *uniforms = rng.random(len(self.grid.shape) + 3).tolist()
        region = self.shares.region(index, which)
        if region is None:
            region = self.shares.spare_region(spare)
            if self.grid.has_interior:
                return self.grid.edge_patch(region)
        return self.grid.patch(region, uniforms, self.excluded)
