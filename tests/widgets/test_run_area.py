"""Areas of a request: read off the viewer, and as a plan has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, noisy

from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.outline_stack import OutlineStack
from napari_tessera.widgets.request import (
    EVERYTHING,
    INSIDE,
    SLICE,
    TILE,
    VIEW,
    VOLUME,
    RunRequest,
)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def of(viewer: ViewerModel, layer: Any, model: Any = None, **settings: Any) -> LayerRun:
    settings = {"patch_size": (32, 32), "overlaps": (4, 4), "device": "cpu", **settings}
    return LayerRun.of(viewer, RunRequest((layer,), model or Blur(), **settings), layer)


def plan_of(run: LayerRun, stack: Any = None) -> PredictionPlan:
    return run.make_plan(ModelCache(), stack)[0]


def bounds(plan: PredictionPlan) -> dict[str, tuple[int, int]]:
    return {letter: plan.region.bounds(letter) for letter in plan.region.axes}


def test_a_volume_is_that_of_the_time_point_on_display(viewer: ViewerModel) -> None:
    layer = viewer.add_image(noisy((3, 4, 50, 60)))
    viewer.dims.set_current_step(0, 2)
    viewer.dims.set_current_step(1, 1)
    run = of(viewer, layer, axes="TZYX", area=VOLUME)
    assert bounds(plan_of(run)) == {"T": (2, 3), "Z": (0, 4), "Y": (0, 50), "X": (0, 60)}
    viewer.dims.order = (0, 2, 1, 3)
    run = of(viewer, layer, axes="TZYX", area=VOLUME)
    assert bounds(plan_of(run)) == {"T": (2, 3), "Z": (0, 4), "Y": (0, 50), "X": (0, 60)}


def test_inside_shapes_runs_over_the_tiles_that_they_meet(viewer: ViewerModel) -> None:
    layer = viewer.add_image(noisy((3, 100, 100)))
    marks = viewer.add_shapes([[[5, 5], [5, 20], [20, 20]]], shape_type="polygon")
    run = of(viewer, layer, area=INSIDE, inside=marks)
    marks.selected_data = {0}
    marks.remove_selected()
    run.prepare(ModelCache(), None)
    run.run()
    assert run.result is not None
    assert (run.result.completed, run.result.total) == (True, 3)
    assert isinstance(run.store, MemoryStore)
    there = np.isfinite(run.store.array)
    assert there[:, :30, :30].all()
    assert not there[:, 31:].any()
    assert plan_of(run, OutlineStack(run.stack)).total_tiles == 3


def test_inside_labels_of_another_scale(viewer: ViewerModel) -> None:
    layer = viewer.add_image(noisy((100, 100)))
    labels = np.zeros((10, 10), int)
    labels[9, 9] = 4
    marks = viewer.add_labels(labels, scale=(10, 10), translate=(4.5, 4.5))
    run = of(viewer, layer, area=INSIDE, inside=marks)
    plan = plan_of(run)
    assert np.flatnonzero(~plan.skipped).tolist() == [plan.tiles.n_tiles - 1]


def test_nothing_to_be_inside_of_is_told_at_the_area(viewer: ViewerModel) -> None:
    layer = viewer.add_image(noisy((100, 100)), name="cells")
    with pytest.raises(PlanError, match="Add a Shapes or Labels layer") as error:
        of(viewer, layer, area=INSIDE)
    assert error.value.field == "area"
    marks = viewer.add_shapes([[[5, 5], [5, 20], [20, 20]]], shape_type="polygon", name="marks")
    request = {"area": INSIDE, "inside": marks}
    of(viewer, layer, **request)
    viewer.layers.remove(marks)
    with pytest.raises(PlanError, match="Add a Shapes or Labels layer"):
        of(viewer, layer, **request)
    empty = viewer.add_shapes(name="empty")
    with pytest.raises(PlanError, match="empty has no shapes: draw one over cells"):
        of(viewer, layer, area=INSIDE, inside=empty)
    away = viewer.add_shapes([[[500, 500], [500, 520], [520, 520]]], shape_type="polygon")
    with pytest.raises(PlanError, match="nothing of the area is inside the shapes"):
        plan_of(of(viewer, layer, area=INSIDE, inside=away))


@pytest.mark.parametrize("click", [(0, 0), (99, 99), (40, 10), (61.4, 30.6)])
def test_one_tile_is_the_core_around_the_click(
    viewer: ViewerModel, click: tuple[float, float]
) -> None:
    layer = viewer.add_image(noisy((3, 2, 100, 110)))
    position = (("T", 2.0), ("C", 1.0), ("Y", float(click[0])), ("X", float(click[1])))
    run = of(viewer, layer, axes="TCYX", area=TILE, at=position)
    everything = plan_of(of(viewer, layer, axes="TCYX", area=EVERYTHING))
    for plan in (plan_of(run), plan_of(run, OutlineStack(run.stack))):
        assert plan.tiles.n_tiles == plan.total_tiles == 1
        (block,) = (plan.tiles.block(0),)
        at = (2, 1, *np.floor(np.array(click) + 0.5).astype(int))
        assert all(part.start <= i < part.stop for part, i in zip(block, at, strict=True))
        assert tuple(slice(*plan.region.bounds(a)) for a in "TCYX") == block
        blocks = [everything.tiles.block(i) for i in range(everything.tiles.n_tiles)]
        assert block in blocks, "a tile of the grid that every run has"


def test_one_tile_of_a_3d_model_and_of_one_of_several_channels(viewer: ViewerModel) -> None:
    volume = viewer.add_image(noisy((40, 60, 60)))
    settings = {"area": TILE, "patch_size": (16, 32, 32), "overlaps": (4, 4, 4)}
    plan = plan_of(of(viewer, volume, Blur(3), at=(("Z", 20), ("Y", 3), ("X", 3)), **settings))
    first, stop = plan.region.bounds("Z")
    assert first <= 20 < stop
    assert stop - first == 12
    assert plan.tiles.n_tiles == 1
    colours = viewer.add_image(noisy((2, 60, 60)))
    run = of(viewer, colours, Blur(channels=2), axes="CYX", area=TILE, at=(("Y", 3), ("X", 50)))
    plan = plan_of(run)
    assert plan.tiles.n_tiles == 1
    assert plan.region.selected_shape[0] == 2
    assert plan.input_channels is None


def test_a_click_beside_the_image_is_refused(viewer: ViewerModel) -> None:
    layer = viewer.add_image(noisy((100, 100)), name="cells")
    with pytest.raises(PlanError, match=r"Y 100 is outside cells \(0…99\): click inside") as error:
        of(viewer, layer, area=TILE, at=(("Y", 99.7), ("X", 5)))
    assert error.value.field == "area"


@pytest.mark.parametrize("area", [VIEW, SLICE, VOLUME, EVERYTHING, INSIDE])
def test_channels_that_are_chosen_are_those_of_every_area(viewer: ViewerModel, area: str) -> None:
    layer = viewer.add_image(noisy((4, 60, 60)))
    marks = viewer.add_shapes([[[5, 5], [5, 20], [20, 20]]], shape_type="polygon")
    run = of(viewer, layer, axes="CYX", area=area, inside=marks, channels=(0, 2))
    run.prepare(ModelCache(), None)
    run.run()
    assert run.plan is not None
    assert list(run.plan.region.along("C")) == [0, 2]
    assert run.result is not None
    assert run.result.completed
    assert isinstance(run.store, MemoryStore)
    there = np.isfinite(run.store.array).any(axis=(-2, -1))
    assert there.tolist() in ([True, False, True, False], [True, True])


def test_channels_that_go_to_the_model_together(viewer: ViewerModel) -> None:
    layer = viewer.add_image(noisy((4, 60, 60)))
    run = of(viewer, layer, Blur(channels=2), axes="CYX", area=SLICE, channels=(1, 3))
    plan = plan_of(run)
    assert plan.input_channels == (1, 3)
    wrong = of(viewer, layer, Blur(channels=2), axes="CYX", area=SLICE, channels=(1, 2, 3))
    with pytest.raises(PlanError, match="takes 2 channels and gets 3"):
        plan_of(wrong)
