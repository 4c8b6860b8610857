"""One layer's run without a controller: read off the viewer, planned, run, gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, noisy

from napari_tessera.prediction import PlanError, Progress
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.looked_at import LookedAt
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.progress_box import ProgressBox
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW, RunRequest, SaveTarget


def make(viewer: ViewerModel, layer: Any, model: Any = None, **settings: Any) -> LayerRun:
    settings = {"patch_size": (32, 32), "device": "cpu", **settings}
    return LayerRun.of(viewer, RunRequest((layer,), model or Blur(), **settings), layer)


def test_the_area_and_where_the_person_looks_are_those_of_the_click() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((6, 64, 64)), name="cells")
    viewer.dims.set_current_step(0, 4)
    runs = {area: make(viewer, layer, area=area) for area in (VIEW, SLICE, EVERYTHING)}
    viewer.dims.set_current_step(0, 0)
    layer.name = "renamed"
    assert runs[SLICE].selection == {"Z": 4}
    assert set(runs[VIEW].selection or {}) == {"Z", "Y", "X"}
    assert runs[EVERYTHING].selection is None
    assert runs[EVERYTHING].view.position == pytest.approx({"Z": 4, "Y": 31.5, "X": 31.5})
    assert runs[EVERYTHING].view.selection == runs[VIEW].selection
    assert runs[EVERYTHING].name == "cells"


def test_axes_that_do_not_fit_name_their_field() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((6, 64, 64)))
    with pytest.raises(PlanError) as error:
        make(viewer, layer, axes="YX")
    assert error.value.field == "axes"


def test_runs_stops_and_goes_on_to_the_same_pixels() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((4, 100, 100)))
    whole = make(viewer, layer, area=EVERYTHING)
    whole.prepare(ModelCache(), None)
    whole.run()
    assert whole.result is not None
    assert whole.result.completed
    assert isinstance(whole.store, MemoryStore)
    expected = whole.store.array

    parts = make(viewer, layer, area=EVERYTHING)
    cache = ModelCache()
    assert not parts.prepared
    parts.prepare(cache, None)
    assert parts.prepared
    box = parts.progress

    class Stopping(ProgressBox):
        def put(self, progress: Progress) -> None:
            box.put(progress)
            if progress.done - parts.done_before >= 10:
                parts.cancel.set()

    parts.progress = Stopping()
    rounds = 0
    while parts.result is None or not parts.result.completed:
        parts.cancel.clear()
        parts.run()
        rounds += 1
        assert rounds < 50
    assert rounds > 3
    assert isinstance(parts.store, MemoryStore)
    np.testing.assert_array_equal(parts.store.array, expected)
    _, finished = box.take()
    assert sorted(finished) == list(range(parts.result.total))


def test_the_tiles_at_the_view_come_first() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((5, 100, 100)))
    viewer.dims.set_current_step(0, 3)
    run = make(viewer, layer, area=EVERYTHING)
    run.prepare(ModelCache(), None)
    assert run.plan is not None
    assert run.schedule is not None
    first = run.plan.tiles.block(run.schedule.next(1)[0])
    assert first[0] == slice(3, 4)
    assert first[1].start <= 50 < first[1].stop
    assert first[2].start <= 50 < first[2].stop


def test_what_the_disk_has_lost_is_predicted_again(tmp_path: Path) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((4, 100, 100)))
    save = SaveTarget(tmp_path / "out.ome.zarr")
    run = make(viewer, layer, area=EVERYTHING, save=save)
    run.prepare(ModelCache(), None)
    box = run.progress

    class Stopping(ProgressBox):
        def put(self, progress: Progress) -> None:
            box.put(progress)
            if progress.done >= 5:
                run.cancel.set()

    run.progress = Stopping()
    run.run()
    run.cancel.clear()
    run.progress = box
    shutil.rmtree(save.path)
    run.run()
    assert run.result is not None
    assert run.result.completed
    assert isinstance(run.store, MemoryStore)
    written = zarr.open_group(save.path, mode="r")["0"][:]
    assert np.isfinite(written).all()
    assert np.array_equal(written, run.store.array)


def previewed(viewer: ViewerModel, layer: Any) -> MemoryStore:
    run = make(viewer, layer, area=SLICE)
    run.prepare(ModelCache(), None)
    run.run()
    assert isinstance(run.store, MemoryStore)
    return run.store


def test_a_preview_stays_where_the_next_one_cannot_be_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((4, 100, 100)))
    store = previewed(viewer, layer)
    before = store.array.copy()
    run = make(viewer, layer, area=EVERYTHING)
    with monkeypatch.context() as patched:
        patched.setattr(LookedAt, "put_first", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run.prepare(ModelCache(), store)
    np.testing.assert_array_equal(store.array, before)
    run.prepare(ModelCache(), store)
    assert run.store is store
    assert np.isnan(store.array).all()


def test_a_preview_stays_where_what_is_continued_cannot_be_read(tmp_path: Path) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((4, 100, 100)))
    path = tmp_path / "out.ome.zarr"
    saved = make(viewer, layer, area=EVERYTHING, save=SaveTarget(path))
    saved.prepare(ModelCache(), None)
    saved.run()
    store = previewed(viewer, layer)
    before = store.array.copy()
    model = saved.request.model
    target = SaveTarget(path, if_exists="continue")
    run = make(viewer, layer, model, area=EVERYTHING, save=target)
    for chunk in (path / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    with pytest.raises(RuntimeError, match="decompression"):
        run.prepare(ModelCache(), store)
    np.testing.assert_array_equal(store.array, before)
    assert not run.prepared


@pytest.mark.parametrize("rgb", [True, False])
def test_a_result_is_shown_in_colours_where_its_layer_is(rgb: bool) -> None:
    viewer = ViewerModel()
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    run = make(viewer, viewer.add_image(image if rgb else image[..., 0], rgb=rgb))
    plan, _ = run.make_plan(ModelCache())
    assert (run.colours_of(plan) is not None) is rgb
