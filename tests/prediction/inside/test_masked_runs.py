"""Runs inside a mask or shapes: the same pixels there, nothing elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from tests.prediction.inside.masks import AXES, SETTINGS, Counting, expected_of, plan_of
from zarr.storage import MemoryStore

from napari_tessera import plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.prediction import Outline, Progress, Schedule, estimate, run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import WriteTilesZarr


def test_only_tiles_inside_are_predicted_and_have_the_pixels_of_a_whole_run(
    model: Model, pixels: np.ndarray, mask: np.ndarray, whole: np.ndarray
) -> None:
    plan = plan_of(model, pixels, mask)
    n_kept = np.count_nonzero(~plan.skipped)
    assert plan.total_tiles == n_kept < plan.tiles.n_tiles == plan.skipped.size
    assert estimate(plan, 2.0).seconds == 2.0 * n_kept
    states: list[Progress] = []
    Counting.seen = 0
    found = predict(ArrayStack(pixels, AXES), model, plan=plan, progress=states.append)
    assert Counting.seen == n_kept
    assert (states[-1].done, states[-1].total) == (n_kept, n_kept)
    np.testing.assert_array_equal(found, expected_of(plan, whole))
    assert np.isfinite(found[mask]).all()


def test_shapes_regions_and_channels_go_together(model: Model) -> None:
    pixels = np.random.default_rng(1).poisson(300, (2, 3, 100, 120)).astype(np.uint16)
    stack = ArrayStack(pixels, "CZYX")
    whole = predict(stack, model, **SETTINGS)
    inside = [
        Outline([(10, 10), (10, 30), (30, 30)], at={"Z": 1}),
        Outline([(60, 60), (60, 110), (90, 110), (90, 60)], "ellipse"),
    ]
    region = {"C": [1], "Z": slice(1, 3), "Y": slice(20, 100)}
    plan = plan_prediction(stack, model, inside=inside, region=region, **SETTINGS)
    found = predict(stack, model, plan=plan)
    assert found.shape == (1, 2, 80, 120)
    np.testing.assert_array_equal(found, expected_of(plan, whole))
    assert np.isfinite(found[0, 0, 0, 20])
    assert np.isnan(found[0, 1, 0, 20])
    assert np.isfinite(found[0, :, 55, 85]).all()


@pytest.mark.parametrize("blending", ["linear", "gaussian"])
def test_neighbours_of_a_blended_tile_are_predicted_and_not_written(
    model: Model, pixels: np.ndarray, blending: str
) -> None:
    settings = {"patch_size": 48, "overlaps": 16, "blending": blending}
    whole = predict(ArrayStack(pixels, AXES), model, **settings)
    plan = plan_of(model, pixels, [(50, 50), (50, 60), (60, 60)], **settings)
    assert plan.total_tiles == 3
    Counting.seen = 0
    found = predict(ArrayStack(pixels, AXES), model, plan=plan)
    assert Counting.seen == 3 * 9
    np.testing.assert_array_equal(found, expected_of(plan, whole))


def test_the_order_of_tiles_decides_no_byte(
    model: Model, pixels: np.ndarray, mask: np.ndarray
) -> None:
    plan = plan_of(model, pixels, mask)
    stores = []
    for order in (range(plan.tiles.n_tiles), range(plan.tiles.n_tiles - 1, -1, -1)):
        store = MemoryStore()
        run_prediction(
            plan,
            ArrayStack(pixels, AXES),
            model,
            writers=[(WriteTilesZarr(store, chunks=(64, 64)), ".")],
            schedule=Schedule(plan.tiles, order=order),
        )
        held = {k: bytes(v.to_bytes()) for k, v in store._store_dict.items() if k != "zarr.json"}
        stores.append(held)
    assert stores[0] == stores[1]
