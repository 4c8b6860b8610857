"""Sampling regions of one image, and the patches they give."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.patching.stratified.grid import RegionGrid

from .stratified_model import middles, region_weights


@st.composite
def grids(draw: st.DrawFn) -> RegionGrid:
    n_spatial = draw(st.integers(2, 3))
    patch_size = tuple(draw(st.integers(1, 9)) for _ in range(n_spatial))
    return RegionGrid(tuple(draw(st.integers(p, 4 * p + 5)) for p in patch_size), patch_size)


@st.composite
def grids_with_exclusions(draw: st.DrawFn) -> tuple[RegionGrid, NDArray[np.bool_]]:
    grid = draw(grids())
    excluded = draw(st.lists(st.booleans(), min_size=grid.size, max_size=grid.size))
    assume(not all(excluded))
    return grid, np.array(excluded).reshape(grid.shape)


uniform = st.floats(0, 1, exclude_max=True)


@given(grids())
def test_regions_are_those_with_a_start(grid: RegionGrid) -> None:
    for n, s, p in zip(grid.shape, grid.spatial, grid.patch_size, strict=True):
        starts = range(s - p + 1)
        assert n == len({start // p for start in starts})


@given(grids())
def test_classes_hold_every_region_once_and_its_weight(grid: RegionGrid) -> None:
    weights = region_weights(grid.spatial, grid.patch_size)
    assert grid.weights() == pytest.approx(weights.astype(float), rel=1e-12)
    seen = []
    for box, weight, takes_spare in grid.classes():
        numbers = grid.numbers(box)
        assert list(numbers) == [np.ravel_multi_index(at, grid.shape) for at in product(*box)]
        assert [grid.number(box, i) for i in range(len(numbers))] == list(numbers)
        assert (weights.ravel()[numbers] == weight).all()
        # Away from the borders nothing is added: there every weight is 1.
        assert takes_spare or weight == 1
        seen += list(numbers)
    assert sorted(seen) == list(range(grid.size))
    assert weights.sum() == Fraction(prod(grid.spatial), prod(grid.patch_size))


@given(grids_with_exclusions(), st.data())
def test_patches_keep_to_their_region_and_off_excluded_cells(
    grid_excluded: tuple[RegionGrid, NDArray[np.bool_]], data: st.DataObject
) -> None:
    grid, excluded = grid_excluded
    n_axes = len(grid.shape)
    uniforms = data.draw(st.lists(uniform, min_size=n_axes + 1, max_size=n_axes + 1))
    blocked = np.zeros(grid.spatial, dtype=bool)
    for cell in np.argwhere(excluded):
        blocked[box(cell * grid.patch_size, grid)] = True
    for region in np.flatnonzero(~excluded).tolist():
        start = grid.patch(region, uniforms, excluded)
        cell = np.unravel_index(region, grid.shape)
        assert all(type(number) is int for number in start)
        for x, g, n, p, s in zip(
            start, cell, grid.shape, grid.patch_size, grid.spatial, strict=True
        ):
            assert g * p <= x <= (s - p if g == n - 1 else g * p + p - 1)
        assert not blocked[box(start, grid)].any()

        # Nothing is moved without need: each axis that was moved back has to be.
        plain = grid.patch(region, uniforms)
        for axis in range(n_axes):
            if start[axis] != plain[axis]:
                assert start[axis] == cell[axis] * grid.patch_size[axis]
                ahead = [plain[a] if a == axis else start[a] for a in range(n_axes)]
                assert blocked[box(ahead, grid)].any()

        edge = grid.edge_patch(region)
        assert not blocked[box(edge, grid)].any()
        for x, g, n, p, s in zip(
            edge, cell, grid.shape, grid.patch_size, grid.spatial, strict=True
        ):
            assert x == (s - p if g == n - 1 and s > 2 * p else g * p)


def box(start: object, grid: RegionGrid) -> tuple[slice, ...]:
    return tuple(
        slice(x, x + p)
        for x, p in zip(start, grid.patch_size, strict=True)  # type: ignore[call-overload]
    )


def test_where_either_axis_can_be_kept_both_are() -> None:
    grid = RegionGrid((8, 8), (4, 4))
    excluded = np.array([[False, False], [False, True]])
    # All four starts along an axis of twice the patch are alike.
    assert grid.patch(0, (0.5, 0.5, 0.0), excluded) == (2, 0)
    assert grid.patch(0, (0.5, 0.5, 0.9), excluded) == (0, 2)
    # The patch that does not reach the excluded cell stays.
    assert grid.patch(0, (0.5, 0.0, 0.9), excluded) == (2, 0)


def test_starts_outside_come_to_lie_on_both_ends() -> None:
    grid = RegionGrid((4, 11), (4, 4))
    first = [grid.patch(0, (0.0, at, 0.0))[1] for at in middles(11)]
    last = [grid.patch(1, (0.0, at, 0.0))[1] for at in middles(11)]
    assert first == [0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert last == [4, 4, 5, 5, 6, 6, 7, 7, 7, 7, 7]
