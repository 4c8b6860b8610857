"""One sample with its exclusions and probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.stratified.grid import RegionGrid
from napari_tessera.patching.stratified.sample import StratifiedSample
from napari_tessera.patching.stratified.shares import GradedShares


class Largest(np.random.Generator):
    """Gives the largest numbers there are."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, size: int) -> NDArray[np.float64]:  # type: ignore[override]
        return np.full(size, np.nextafter(1, 0))


def test_changes_make_another_sample() -> None:
    # A thread may be drawing from the one before.
    plain = StratifiedSample(RegionGrid((4, 3), (1, 1)))
    first = plain.excluding(np.array([0, 1])).with_probs(np.array([2]), np.array([0.5]))
    second = first.excluding(np.array([3])).with_probs(np.array([2]), np.array([0.25]))
    assert [len(sample.included) for sample in (plain, first, second)] == [12, 10, 9]
    assert first.probs is not None
    assert first.probs[0, 2] == 0.5
    assert [sample.shares.n_patches for sample in (plain, first, second)] == [12, 10, 9]
    assert second.with_probs(np.array([2]), np.array([0.0])).shares.n_patches == 8


def test_rounding_leaves_no_number_without_a_patch() -> None:
    grid = RegionGrid((320, 330), (8, 8))
    probs = np.random.default_rng(0).random(grid.size)
    sample = StratifiedSample(grid).with_probs(np.arange(grid.size), probs)
    assert isinstance(sample.shares, GradedShares)
    packing = sample.shares._packing
    ends = [np.cumsum(packing.entries(index)[1])[-1] for index in range(sample.shares.n_patches)]
    assert min(ends) < 1 - 1e-16
    for index in range(sample.shares.n_patches):
        y, x = sample.draw(index, Largest())
        assert 0 <= y <= 312
        assert 0 <= x <= 322


def test_probabilities_of_excluded_regions_have_no_effect() -> None:
    grid = RegionGrid((4, 4), (1, 1))
    excluded = StratifiedSample(grid).excluding(np.array([5]))
    with_prob = excluded.with_probs(np.array([5]), np.array([0.3]))
    assert with_prob.shares.n_patches == 15
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    assert [excluded.draw(i, rng) for i in range(15)] == [
        with_prob.draw(i, same) for i in range(15)
    ]
