"""What stratified patches are to be, written out start by start, and what they are, exactly."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.stratified.sample import StratifiedSample

Cell = tuple[int, ...]


@cache
def start_masses(size: int, patch: int) -> tuple[Fraction, ...]:
    """How often each start along an axis is drawn, per epoch."""
    n = size - patch + 1
    if size <= 2 * patch:
        return (Fraction(size, patch * n),) * n
    masses = [Fraction(1, patch)] * n
    for end in (0, -1):
        masses[end] += Fraction(patch - 1, 2 * patch)
    return tuple(masses)


def region_weights(spatial: Cell, patch_size: Cell) -> NDArray[np.object_]:
    """Sum of the masses of the starts of each region."""
    weights = np.array(Fraction(1), dtype=object)
    for s, p in zip(spatial, patch_size, strict=True):
        along = np.full(s // p, Fraction(0), dtype=object)
        for start, mass in enumerate(start_masses(s, p)):
            along[min(start // p, len(along) - 1)] += mass
        weights = np.multiply.outer(weights, along)
    return weights


def middles(n: int) -> list[float]:
    """Numbers on [0, 1), one in each of n parts of the same length."""
    return [(i + 0.5) / n for i in range(n)]


def exact_starts(sample: StratifiedSample) -> dict[Cell, Fraction]:
    """Expected number of patches per epoch at each start, exactly.

    All that can be drawn is gone through: each number a patch is made of is cut into so many
    parts, alike in length, that none of its outcomes ends within a part.
    """
    grid, shares = sample.grid, sample.shares
    one = prod(axis.denominator for axis in grid.axes)
    regions: dict[int | None, Fraction] = Counter()
    for index in range(shares.n_patches):
        for which in middles(one):
            regions[shares.region(index, which)] += Fraction(1, one)
    spare = regions.pop(None, Fraction(0))
    starts: dict[Cell, Fraction] = Counter()
    if spare:
        weights = region_weights(grid.spatial, grid.patch_size)
        border = np.ones(grid.shape, dtype=bool)
        if all(s > 2 * p for s, p in zip(grid.spatial, grid.patch_size, strict=True)):
            border[(slice(1, -1),) * len(grid.shape)] = False
        if sample.excluded is not None:
            border &= ~sample.excluded
        if sample.probs is not None:
            border &= sample.probs > 0
        parts = int(weights[border].sum() * one)
        for of_spare in middles(parts):
            region = shares.spare_region(of_spare)
            assert border.flat[region]
            if grid.has_interior:
                starts[grid.edge_patch(region)] += spare / parts
            else:
                regions[region] += spare / parts
    for region, mass in regions.items():
        assert region is not None
        cell = np.unravel_index(region, grid.shape)
        cuts = [
            axis.mass(g) if axis.has_interior else axis.n_starts(g)
            for axis, g in zip(grid.axes, map(int, cell), strict=True)
        ]
        choices = 1 if sample.excluded is None else {2: 2, 3: 6}[len(cell)]
        outcomes = prod(cuts) * choices
        for numbers in product(*map(middles, cuts), middles(choices)):
            starts[grid.patch(region, numbers, sample.excluded)] += mass / outcomes
    return starts
