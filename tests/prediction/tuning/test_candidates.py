"""Tile sizes that are worth measuring are sizes that a plan takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera import load_model, plan_prediction
from napari_tessera.models import ModelGeometry
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.prediction.auto_tiles import live_edges
from napari_tessera.prediction.tuning.candidates import LARGE, Grid, grid_of, grids_to_try
from napari_tessera.stacks import ArrayStack


def geometry(dims: int, k: int, reach: int | None, sizes: ValidSizes | None = None):
    return ModelGeometry(
        reach=None if reach is None else (reach,) * dims,
        period=(k,) * dims,
        out_channels=1,
        sizes=sizes or ValidSizes((k,) * dims, (k,) * dims, (None,) * dims),
    )


@settings(max_examples=50)
@given(
    st.sampled_from([2, 3]),
    st.integers(1, 16),
    st.one_of(st.none(), st.integers(0, 120)),
    st.data(),
)
def test_each_leaves_a_core_and_suits_the_model(
    dims: int, k: int, reach: int | None, data: st.DataObject
) -> None:
    spatial = data.draw(st.one_of(st.none(), st.tuples(*[st.integers(1, 3000)] * dims)))
    edges = live_edges("ZYX"[-dims:], "cpu")
    grids = grids_to_try(spatial, 3, "auto", geometry(dims, k, reach), edges)
    assert grids
    assert len({grid.patch_size for grid in grids}) == len(grids)
    assert [g.tile_pixels for g in grids] == sorted(g.tile_pixels for g in grids)
    for grid in grids:
        for axis, (patch, overlap) in enumerate(zip(grid.patch_size, grid.overlaps, strict=True)):
            size = LARGE if spatial is None else spatial[axis]
            assert patch % k == overlap % k == overlap % 2 == 0
            assert overlap < patch
            assert patch < size + k
        assert grid.tiles % 3 == grid.pixels % 3 == 0


def test_they_are_those_of_a_plan() -> None:
    model = load_model("builtin:denoise2d", device="cpu")
    stack = ArrayStack(np.zeros((700, 900), np.uint16), "YX")
    for grid in grids_to_try((700, 900), 1, "auto", model.geometry, (512, 512)):
        plan = plan_prediction(stack, model, patch_size=grid.patch_size)
        assert plan.patch_size == grid.patch_size
        assert plan.overlaps == grid.overlaps
        assert plan.total_tiles == grid.tiles


def test_a_network_for_one_size_gets_that_alone() -> None:
    fixed = geometry(2, 4, 10, ValidSizes.fixed((64, 64)))
    grids = grids_to_try((900, 900), 1, "auto", fixed, (512, 512))
    assert [grid.patch_size for grid in grids] == [(64, 64)]


def test_a_small_image_has_one_tile() -> None:
    grids = grids_to_try((50, 70), 5, "auto", geometry(2, 4, 10), (512, 512))
    assert grids[-1] == Grid((52, 72), (0, 0), 5, 5 * 3500)


def test_a_last_batch_takes_as_long_as_a_full_one() -> None:
    grid = Grid((100, 100), (0, 0), 5, 50_000)
    assert grid.pixels_per_second(1.0, 1) == 10_000
    assert grid.pixels_per_second(1.0, 4) == 25_000
    assert grid.pixels_per_second(0.5, 8) == 100_000


@pytest.mark.parametrize("overlap", [64, 80])
def test_an_overlap_that_leaves_no_core_is_no_grid(overlap: int) -> None:
    model = geometry(2, 4, 10)
    assert grid_of((64, 64), (overlap, overlap), (500, 500), 1, model, (512, 512)) is None
