"""Outputs in memory: reused by previews, filled from what was saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.widgets.conftest import Blur, make_plan, noisy, run_into

from napari_tessera.models import load_model
from napari_tessera.prediction import predict, run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.output_store import make_store
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing import WriteTilesZarr


def test_previews_of_the_same_settings_stand_side_by_side() -> None:
    image = noisy((2, 64, 64))
    first = make_plan(image, "ZYX", patch_size=(32, 32), region={"Z": 0})
    second = make_plan(image, "ZYX", patch_size=(32, 32), region={"Z": 1})
    other = make_plan(image, "ZYX", patch_size=(48, 48), region={"Z": 1})
    store = make_store(first, "ZYX")
    assert isinstance(store, MemoryStore)
    run_into(store, first, image, "ZYX")
    assert make_store(second, "ZYX", reusable=store) is store
    assert np.isfinite(store.array[0]).all()
    assert np.isnan(store.array[1]).all()
    run_into(store, second, image, "ZYX")
    assert make_store(second, "ZYX", reusable=store) is store
    assert np.isfinite(store.array[0]).all()
    assert np.isnan(store.array[1]).all()
    assert make_store(other, "ZYX", reusable=store) is store
    assert np.isnan(store.array).all()


def test_previews_of_different_intensity_ranges_are_not_mixed() -> None:
    image = noisy((3, 64, 64))
    image[2] += 50
    at = {
        (kind, t): make_plan(image, "TYX", region={"T": t}, normalization=kind)
        for kind in ("none", "time_point", "series")
        for t in range(3)
    }
    for kind in ("none", "time_point", "series"):
        store = make_store(at[kind, 0], "TYX")
        assert isinstance(store, MemoryStore)
        for other in ("none", "time_point", "series"):
            assert store.take(at[kind, 0])
            run_into(store, at[kind, 0], image, "TYX")
            assert store.take(at[other, 1])
            assert np.isfinite(store.array[0]).all() == (other == kind)


def test_a_sample_of_another_intensity_range_is_not_mixed_in() -> None:
    image = noisy((3, 64, 64))
    first = make_plan(image, "TYX", region={"T": slice(0, 2)}, normalization="time_point")
    both = make_plan(image, "TYX", region={"T": slice(1, 3)}, normalization="time_point")
    ranges = both.normalization
    (first_row, *others), *rows = ranges.values
    raised = tuple(value + 1 for value in first_row)
    shifted = replace(ranges, values=((raised, *others), *rows))
    for plan, kept in ((both, True), (replace(both, normalization=shifted), False)):
        store = make_store(first, "TYX")
        assert isinstance(store, MemoryStore)
        run_into(store, first, image, "TYX")
        assert store.take(plan)
        assert np.isfinite(store.array[0]).all() == kept


def test_a_full_run_starts_empty_and_another_shape_anew() -> None:
    image = noisy((2, 64, 64))
    store = make_store(make_plan(image, "ZYX", region={"Z": 0}), "ZYX")
    run_into(store, store.plan, image, "ZYX")
    whole = make_plan(image, "ZYX")
    assert isinstance(store, MemoryStore)
    assert make_store(whole, "ZYX", reusable=store) is store
    assert np.isnan(store.array).all()
    assert make_store(make_plan(image[:1], "ZYX"), "ZYX", reusable=store) is not store


def test_finished_tiles_are_read_back(tmp_path: Path) -> None:
    image = noisy((3, 64, 64))
    plan = make_plan(image, "TYX", patch_size=(32, 32), region={"T": slice(1, 3)})
    path = tmp_path / "a.ome.zarr"
    model = load_model(Blur(), device="cpu")
    run_prediction(plan, ArrayStack(image, "TYX"), model, writers=[(WriteTilesZarr(path), ".")])
    store = make_store(plan, "TYX")
    assert isinstance(store, MemoryStore)
    store.fill_from(path, range(plan.total_tiles // 2))
    expected = predict(ArrayStack(image, "TYX"), model)
    np.testing.assert_array_equal(store.array[1], expected[1])
    assert np.isnan(store.array[0]).all()
    assert np.isnan(store.array[2]).all()


def test_let_go_of_it_ignores_what_is_still_written(tmp_path: Path) -> None:
    image = noisy((3, 64, 64))
    plan = make_plan(image, "TYX", patch_size=(32, 32))
    path = tmp_path / "a.ome.zarr"
    run_into(WriteTilesZarr(path), plan, image, "TYX")
    whole = MemoryStore(plan, plan.region, "TYX")
    run_into(whole, plan, image, "TYX")
    filled = MemoryStore(plan, plan.region, "TYX")

    def removed_meanwhile() -> Iterator[int]:
        for index in range(plan.total_tiles):
            if index == 3:
                filled.dispose()
            yield index

    filled.fill_from(path, removed_meanwhile())
    whole.dispose()
    run_into(whole, plan, image, "TYX")
    assert (filled.array.size, whole.array.size) == (0, 0)
    assert not whole.take(plan)


def test_let_go_of_it_ignores_colours_too() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 40, 3), np.uint8)
    plan = make_plan(image, "YXC")
    store = MemoryStore(plan, plan.region, "YX", Colours("uint8", image))
    store.dispose()
    run_into(store, plan, image, "YXC")
    assert store.array.size == 0
