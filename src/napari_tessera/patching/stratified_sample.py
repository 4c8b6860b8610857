"""Patches of one sample: its exclusions, its probabilities, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.stratified_grid import RegionGrid
from napari_tessera.patching.stratified_shares import EvenShares, GradedShares, Shares


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
            return EvenShares(self.grid, None if self.excluded is None else ~self.excluded)
        active = self.probs > 0
        if self.excluded is not None:
            active &= ~self.excluded
        if (self.probs[active] == 1).all():
            return EvenShares(self.grid, active)
        return GradedShares(self.grid, active, self.probs)

    def draw(self, index: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Start of a patch for an index 0…n_patches − 1, in pixels."""
        # All at once: threads that share a generator each get numbers that follow one another.
        which, *uniforms = rng.random(len(self.grid.shape) + 2).tolist()
        shares = self.shares
        if index < len(shares.alone):
            return self.grid.patch(int(shares.alone[index]), uniforms, self.excluded)
        regions, of_regions = shares.packing.entries(index - len(shares.alone))
        ends = np.cumsum(of_regions)
        spare = shares.spare
        if not len(spare):
            # Then only rounding keeps the last end from being 1.
            which *= ends[-1]
        entry = int(np.searchsorted(ends, which, side="right"))
        if entry < len(regions):
            return self.grid.patch(int(regions[entry]), uniforms, self.excluded)
        return self.grid.edge_patch(int(spare[int(uniforms[0] * len(spare))]))
