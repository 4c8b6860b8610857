"""Expected numbers of patches of regions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.patching.stratified.grid import RegionGrid
from napari_tessera.patching.stratified.shares import (
    EvenShares,
    GradedShares,
    PlainShares,
    Shares,
)

from .stratified_model import middles, region_weights


def expected(shares: Shares, grid: RegionGrid, cuts: int | None = None) -> NDArray[np.float64]:
    """Patches per epoch of each region, summed over the indices, without the spare share.

    Exact where the shares are whole parts of ``cuts``: by default the common denominator.
    """
    cuts = cuts or prod(axis.denominator for axis in grid.axes)
    totals = np.zeros(grid.size)
    for index in range(shares.n_patches):
        for uniform in middles(cuts):
            region = shares.region(index, uniform)
            if region is not None:
                totals[region] += 1 / cuts
    return totals.reshape(grid.shape)


@st.composite
def grids(draw: st.DrawFn) -> RegionGrid:
    n_spatial = draw(st.integers(2, 3))
    patch_size = tuple(draw(st.integers(1, 8)) for _ in range(n_spatial))
    return RegionGrid(tuple(draw(st.integers(p, 4 * p + 3)) for p in patch_size), patch_size)


@st.composite
def subsets(draw: st.DrawFn) -> tuple[RegionGrid, NDArray[np.bool_]]:
    grid = draw(grids())
    active = draw(st.lists(st.booleans(), min_size=grid.size, max_size=grid.size))
    return grid, np.array(active).reshape(grid.shape)


@given(grids())
def test_all_regions_give_as_many_patches_as_fit_into_the_image(grid: RegionGrid) -> None:
    shares = PlainShares(grid)
    assert shares.n_patches == ceil(Fraction(prod(grid.spatial), prod(grid.patch_size)))
    weights = region_weights(grid.spatial, grid.patch_size).astype(float)
    assert expected(shares, grid) == pytest.approx(weights, abs=1e-9)


@given(grids())
def test_without_exclusions_and_with_none_excluded_is_the_same(grid: RegionGrid) -> None:
    plain = PlainShares(grid)
    all_active = EvenShares(grid, np.ones(grid.shape, dtype=bool))
    assert plain.n_patches == all_active.n_patches
    assert expected(plain, grid) == pytest.approx(expected(all_active, grid))


@given(subsets())
def test_the_share_of_a_region_is_its_weight(
    grid_active: tuple[RegionGrid, NDArray[np.bool_]],
) -> None:
    grid, active = grid_active
    shares = EvenShares(grid, active)
    weights = region_weights(grid.spatial, grid.patch_size) * active
    assert shares.n_patches == ceil(weights.sum())
    assert expected(shares, grid) == pytest.approx(weights.astype(float), abs=1e-7)


@given(subsets(), st.floats(0, 1, exclude_max=True))
def test_spare_patches_are_those_of_regions_at_borders(
    grid_active: tuple[RegionGrid, NDArray[np.bool_]], uniform: float
) -> None:
    grid, active = grid_active
    weights = region_weights(grid.spatial, grid.patch_size)
    every: list[tuple[Shares, NDArray[np.bool_]]] = [(PlainShares(grid), np.ones_like(active))]
    if (weights * active).sum() % 1:
        every.append((EvenShares(grid, active), active))
    for shares, drawn in every:
        region = shares.spare_region(uniform)
        cell = np.unravel_index(region, grid.shape)
        assert drawn[cell]
        if all(s > 2 * p for s, p in zip(grid.spatial, grid.patch_size, strict=True)):
            assert any(g in (0, n - 1) for g, n in zip(cell, grid.shape, strict=True))


@given(grids())
def test_regions_that_weigh_one_or_more_have_an_index_of_their_own(grid: RegionGrid) -> None:
    weights = region_weights(grid.spatial, grid.patch_size).ravel()
    for shares in (PlainShares(grid), EvenShares(grid, np.ones(grid.shape, dtype=bool))):
        own = [
            region
            for index in range(shares.n_patches)
            if (region := shares.region(index, 0.0)) is not None
            and shares.region(index, np.nextafter(1, 0)) == region
        ]
        counts = np.bincount(own, minlength=grid.size)
        assert (counts >= [int(weight) for weight in weights]).all()


def test_where_every_region_weighs_one_nothing_is_shared() -> None:
    shares = PlainShares(RegionGrid((7, 9, 3), (1, 1, 3)))
    assert {shares.region(index, 0.7) for index in range(shares.n_patches)} == set(range(63))


def test_a_sample_of_any_size_needs_no_table() -> None:
    grid = RegionGrid((10**200, 10**12 + 5), (3, 7))
    shares = PlainShares(grid)
    assert shares.n_patches == -(-(10**200) * (10**12 + 5) // 21)
    for index in (0, shares.n_patches // 2, shares.n_patches - 2):
        region = shares.region(index, 0.5)
        assert region is not None
        assert 0 <= region < grid.size
    assert 0 <= shares.spare_region(0.5) < grid.size


@given(subsets(), st.data())
def test_graded_shares_follow_weights_and_probabilities(
    grid_active: tuple[RegionGrid, NDArray[np.bool_]], data: st.DataObject
) -> None:
    grid, active = grid_active
    assume(active.any())
    some = st.one_of(st.floats(1e-3, 1), st.sampled_from([0.1, 0.5, 1.0]))
    probs = np.array(data.draw(st.lists(some, min_size=grid.size, max_size=grid.size)))
    probs = probs.reshape(grid.shape)
    shares = GradedShares(grid, active, probs)
    weights = grid.weights()
    largest = probs[active].max()
    total = (largest * (weights - 1) + probs)[active].sum()
    assert shares.n_patches >= 1
    assert total - 1e-6 <= shares.n_patches < max(total, 0) + 1 + 1e-6
    # Shares are no whole parts of anything: so each index may be off by half of a cut at each end.
    product = weights * probs * active
    cuts = 256
    error = 8 * shares.n_patches / cuts
    found = expected(shares, grid, cuts)
    assert found == pytest.approx(shares.n_patches * product / product.sum(), abs=error)
    assert found.sum() == pytest.approx(shares.n_patches)


@given(grids(), st.floats(0.01, 1))
def test_one_probability_for_all_scales_the_number(grid: RegionGrid, prob: float) -> None:
    shares = GradedShares(grid, np.ones(grid.shape, dtype=bool), np.full(grid.shape, prob))
    exact = prob * prod(grid.spatial) / prod(grid.patch_size)
    assert exact - 1e-6 <= shares.n_patches < exact + 1


@pytest.mark.parametrize("tiny", [1e-12, 1e-300, 5e-324])
def test_tiny_probabilities_leave_one_patch(tiny: float) -> None:
    grid = RegionGrid((3, 3), (1, 1))
    shares = GradedShares(grid, np.ones((3, 3), dtype=bool), np.full((3, 3), tiny))
    assert shares.n_patches == 1
    assert expected(shares, grid, 9) == pytest.approx(1 / 9)


def test_a_sum_that_is_whole_but_for_rounding_is_whole() -> None:
    grid = RegionGrid((4, 1), (1, 1))
    probs = np.array([[0.2], [0.4], [0.3], [0.1]])
    assert probs.sum() > 1
    shares = GradedShares(grid, np.ones((4, 1), dtype=bool), probs)
    assert shares.n_patches == 1
    assert expected(shares, grid, 10) == pytest.approx(probs)
