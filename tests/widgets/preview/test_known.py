"""Tiles of a preview that a run need not predict again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.widgets.conftest import Blur, noisy
from tests.widgets.preview.conftest import filled

from napari_tessera.models import load_model
from napari_tessera.prediction import plan_prediction, run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.preview.known import indices_of, known_cores
from napari_tessera.widgets.preview.plans import Planned
from napari_tessera.widgets.preview.same_pixels import pixels_key
from napari_tessera.widgets.preview.tile_cache import TileCache
from napari_tessera.writing.array_writer import ArrayWriter

IMAGE = noisy((3, 2, 90, 110))
AXES = "TZYX"
SETTINGS: dict[str, Any] = {"patch_size": (32, 32), "normalization": "time_point"}


def cached(every: int = 2) -> tuple[TileCache, Planned]:
    """Every other tile of the image, as a preview keeps them."""
    model = load_model(Blur(), device="cpu")
    there, plan, key, _ = filled(IMAGE, AXES, every, **SETTINGS)
    cache, name = TileCache(2**30), f"image:{key}"
    for number, region in there.tiles(key).items():
        cache.put(name, number, region)
    return cache, Planned(plan, model, name)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_tile_of_an_area_is_found(data: st.DataObject) -> None:
    cache, planned = CACHED
    part = {}
    for letter, size in zip(AXES, IMAGE.shape, strict=True):
        start = data.draw(st.integers(0, size - 1))
        part[letter] = slice(start, data.draw(st.integers(start + 1, size)))
    if data.draw(st.booleans()):
        part["T"] = (0, 2)  # type: ignore[assignment]
    plan = plan_prediction(ArrayStack(IMAGE, AXES), planned.model, region=part, **SETTINGS)
    area = plan.tiles
    expected = {
        area.grid_number(*area.position(i)): i
        for i in range(area.n_tiles)
        if area.grid_number(*area.position(i)) in cache.tiles(planned.name)
    }
    assert dict(indices_of(area, cache.tiles(planned.name))) == expected
    known = known_cores(cache, "image", (planned,), plan, planned.model)
    assert set(known) == set(expected.values())


CACHED = cached()


def test_a_run_with_them_writes_the_same_bytes_and_predicts_only_the_rest() -> None:
    cache, planned = CACHED
    calls = 0

    class Counted(Blur):
        def forward(self, x: Any) -> Any:
            nonlocal calls
            calls += 1
            return super().forward(x)

    stack = ArrayStack(IMAGE, AXES)
    results = []
    for known in (None, known_cores(cache, "image", (planned,), planned.plan, planned.model)):
        model = load_model(Counted(), device="cpu")
        array = np.zeros(IMAGE.shape, np.float32)
        writer, calls = ArrayWriter(array, planned.plan.region), 0
        plan = plan_prediction(stack, model, **SETTINGS)
        before = calls
        run_prediction(plan, stack, model, writers=[(writer, ".")], known=known)
        results.append((array.tobytes(), calls - before))
    (plain, all_calls), (reused, fewer) = results
    assert plain == reused
    assert all_calls == planned.plan.total_tiles
    assert fewer == all_calls - len(cache)


@pytest.mark.parametrize(
    "other",
    [{"patch_size": (48, 48)}, {"normalization": "series"}, {"tta": "mean"}],
    ids=str,
)
def test_of_other_settings_nothing_is_known(other: dict[str, Any]) -> None:
    cache, planned = CACHED
    plan = plan_prediction(ArrayStack(IMAGE, AXES), planned.model, **{**SETTINGS, **other})
    assert known_cores(cache, "image", (planned,), plan, planned.model) == {}


def test_of_another_image_nothing_is_known() -> None:
    cache, planned = CACHED
    assert known_cores(cache, "other", (planned,), planned.plan, planned.model) == {}


def test_a_time_point_with_other_statistics_is_predicted_again() -> None:
    cache, planned = CACHED
    stack, model = ArrayStack(IMAGE, AXES), planned.model
    exact = plan_prediction(stack, model, **SETTINGS)
    values = [list(map(tuple, row)) for row in exact.normalization.values]
    values[1] = [(row[0] + 1, *row[1:]) for row in values[1]]
    from dataclasses import replace

    changed = replace(exact.normalization, values=tuple(map(tuple, values)))
    plan = replace(exact, normalization=changed)
    assert pixels_key(plan, "cpu") == pixels_key(planned.plan, "cpu")
    known = known_cores(cache, "image", (planned,), plan, model)
    times = {plan.tiles.block(index)[0].start for index in known}
    assert times == {0, 2}


def test_tiles_that_a_mask_skips_are_not_given() -> None:
    cache, planned = CACHED
    mask = np.zeros((90, 110), bool)
    mask[5, 5] = True
    stack = ArrayStack(IMAGE, AXES)
    plan = plan_prediction(stack, planned.model, inside=mask, **SETTINGS)
    known = known_cores(cache, "image", (planned,), plan, planned.model)
    assert plan.skipped is not None
    assert known
    assert not plan.skipped[list(known)].any()
