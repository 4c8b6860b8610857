"""Expected numbers of patches of regions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.patching.stratified_grid import RegionGrid
from napari_tessera.patching.stratified_shares import EvenShares, GradedShares, Shares


def expected(shares: Shares, grid: RegionGrid) -> NDArray[np.float64]:
    """Patches per epoch of each region, summed over the indices."""
    totals = np.zeros(grid.size)
    for index in range(shares.n_patches):
        if index < len(shares.alone):
            totals[shares.alone[index]] += 1
            continue
        regions, of_regions = shares.packing.entries(index - len(shares.alone))
        np.add.at(totals, regions, of_regions)
        if len(shares.spare):
            totals[shares.spare] += (1 - of_regions.sum()) / len(shares.spare)
        else:
            assert of_regions.sum() == pytest.approx(1, abs=1e-7)
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
    shares = EvenShares(grid)
    assert shares.n_patches == ceil(Fraction(prod(grid.spatial), prod(grid.patch_size)))
    totals = expected(shares, grid)
    assert totals.sum() == pytest.approx(shares.n_patches)
    assert totals[grid.weights() == 1] == pytest.approx(1, abs=0)
    assert (totals >= grid.weights() - 1e-7).all()


@given(grids())
def test_without_exclusions_and_with_none_excluded_is_the_same(grid: RegionGrid) -> None:
    plain = EvenShares(grid)
    all_active = EvenShares(grid, np.ones(grid.shape, dtype=bool))
    assert plain.n_patches == all_active.n_patches
    assert np.array_equal(expected(plain, grid), expected(all_active, grid))


@given(subsets())
def test_the_share_of_a_region_is_its_weight(
    grid_active: tuple[RegionGrid, NDArray[np.bool_]],
) -> None:
    grid, active = grid_active
    shares = EvenShares(grid, active)
    weights = grid.weights() * active
    # Weights are fractions of the number of pixels of a patch: far from each other, so that
    # rounding cannot hide a wrong number.
    assert shares.n_patches == ceil(weights.sum() - 1e-6)
    totals = expected(shares, grid)
    assert (totals[~active] == 0).all()
    assert (totals[weights == 1] == 1).all()
    assert totals.sum() == pytest.approx(shares.n_patches)
    heavy = weights > 1
    added = shares.n_patches - weights.sum()
    if added > 1e-6:
        assert totals[heavy] == pytest.approx(weights[heavy] + added / heavy.sum(), abs=1e-7)
    else:
        assert totals == pytest.approx(weights, abs=1e-7)


def test_where_the_patch_divides_the_image_nothing_is_packed() -> None:
    shares = EvenShares(RegionGrid((64, 96, 32), (16, 16, 16)))
    assert shares.n_patches == len(shares.alone) == 4 * 6 * 2
    assert isinstance(shares.alone, range)
    assert not len(shares.spare)


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
    assert total - 1e-6 <= shares.n_patches < total + 1
    product = weights * probs * active
    assert expected(shares, grid) == pytest.approx(
        shares.n_patches * product / product.sum(), rel=1e-6, abs=1e-6
    )


@given(grids(), st.floats(0.01, 1))
def test_one_probability_for_all_scales_the_number(grid: RegionGrid, prob: float) -> None:
    shares = GradedShares(grid, np.ones(grid.shape, dtype=bool), np.full(grid.shape, prob))
    exact = prob * prod(grid.spatial) / prod(grid.patch_size)
    assert exact - 1e-6 <= shares.n_patches < exact + 1


def test_tiny_probabilities_leave_one_patch() -> None:
    grid = RegionGrid((16, 16), (8, 8))
    shares = GradedShares(grid, np.ones((2, 2), dtype=bool), np.full((2, 2), 1e-12))
    assert shares.n_patches == 1
    assert expected(shares, grid) == pytest.approx(0.25)


def test_a_sum_that_is_whole_but_for_rounding_is_whole() -> None:
    grid = RegionGrid((32, 8), (8, 8))
    probs = np.array([[0.2], [0.4], [0.3], [0.1]])
    assert probs.sum() > 1
    shares = GradedShares(grid, np.ones((4, 1), dtype=bool), probs)
    assert shares.n_patches == 1
    assert expected(shares, grid) == pytest.approx(probs)
