"""The grid in a viewer: follows slices, camera, image and marks, and is never in the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Surface
from tests.widgets.conftest import Blur, make_plan, noisy
from tests.widgets.tile_grid.shown import Shown, point_at

from napari_tessera.widgets import tile_grid
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.grid.grid_layer import GRID_NAME
from napari_tessera.widgets.grid.look import SKY
from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING

PLACE: dict[str, Any] = {
    "scale": (2, 0.5, 0.5),
    "translate": (1, 2, 3),
    "rotate": (0, 0, 10),
    "shear": (0, 0, 0.1),
    "units": ("um", "um", "um"),
    "axis_labels": ("z", "y", "x"),
}


def test_lies_on_its_layer_and_changes_no_slider(viewer: ViewerModel) -> None:
    image = noisy((5, 100, 90))
    layer = viewer.add_image(image, **PLACE)
    ranges, units = viewer.dims.range, viewer.dims.units
    shown = Shown(viewer, make_plan(image, "ZYX", patch_size=(32, 32)), layer, "ZYX")
    grid = shown.grid.layer
    assert isinstance(grid, Surface)
    assert grid.name == GRID_NAME
    point = (3.0, 7.0, 11.0)
    np.testing.assert_allclose(grid.data_to_world(point), layer.data_to_world(point))
    np.testing.assert_allclose(viewer.dims.range, ranges)
    assert viewer.dims.units == units


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", (3, 0.2, 0.7)),
        ("translate", (5, -6, 7)),
        ("rotate", np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])),
        ("shear", (0, 0.2, 0)),
        ("affine", np.diag([1.0, 2.0, 3.0, 1.0])),
        ("units", ("nm", "nm", "nm")),
        ("axis_labels", ("a", "b", "c")),
    ],
)
def test_goes_where_its_layer_goes(viewer: ViewerModel, name: str, value: Any) -> None:
    image = noisy((5, 100, 90))
    layer = viewer.add_image(image, units=("um", "um", "um"))
    shown = Shown(viewer, make_plan(image, "ZYX", patch_size=(32, 32)), layer, "ZYX")
    setattr(layer, name, value)
    grid = shown.grid.layer
    assert grid is not None
    point = (3.0, 7.0, 11.0)
    np.testing.assert_allclose(grid.data_to_world(point), layer.data_to_world(point))
    assert (grid.units, grid.axis_labels) == (layer.units, layer.axis_labels)
    ranges = viewer.dims.range
    shown.grid.hide()
    np.testing.assert_allclose(viewer.dims.range, ranges)
    setattr(layer, name, getattr(layer, name))
    assert list(viewer.layers) == [layer]


def test_never_takes_the_selection(viewer: ViewerModel) -> None:
    image = noisy((64, 64))
    first, second = viewer.add_image(image), viewer.add_image(image)
    viewer.layers.selection = {first, second}
    changes: list[Any] = []
    viewer.layers.selection.events.changed.connect(changes.append)
    shown = Shown(viewer, make_plan(image, "YX"), first, "YX")
    shown.grid.hide()
    assert viewer.layers.selection == {first, second}
    assert changes == []
    assert list(viewer.layers) == [first, second]


def test_has_the_slice_on_display_alone_and_follows_it(viewer: ViewerModel) -> None:
    image = noisy((5, 64, 64))
    layer = viewer.add_image(image)
    plan = make_plan(image, "ZYX", patch_size=(32, 32))
    assert plan.total_tiles % 5 == 0
    per_plane = plan.total_tiles // 5
    shown = Shown(viewer, plan, layer, "ZYX", done=range(per_plane))
    assert shown.grid.layer is not None
    viewer.dims.set_current_step(0, 3)
    assert set(shown.grid.layer.vertices[:, 0]) == {3}
    assert shown.marked(DONE) == (0,)
    viewer.dims.set_current_step(0, 0)
    assert set(shown.grid.layer.vertices[:, 0]) == {0}
    assert shown.marked(DONE) == (per_plane,)


def test_marks_states(viewer: ViewerModel) -> None:
    image = noisy((2, 64, 64))
    layer = viewer.add_image(image)
    viewer.dims.set_current_step(0, 0)
    plan = make_plan(image, "ZYX", patch_size=(32, 32))
    per_plane = plan.total_tiles // 2
    shown = Shown(viewer, plan, layer, "ZYX")
    shown.mark((), (0, 1))
    assert shown.marked(DONE, RUNNING, FAILED) == (0, 2, 0)
    shown.mark((0, 1), (2, per_plane))
    assert shown.marked(DONE, RUNNING, FAILED) == (2, 1, 0)
    shown.mark((per_plane, per_plane + 1), (), failed=(2,))
    assert shown.marked(DONE, RUNNING, FAILED) == (2, 0, 1)
    viewer.dims.set_current_step(0, 1)
    assert shown.marked(DONE, RUNNING, FAILED) == (2, 0, 0)


def test_marks_wait_where_drawing_takes_long(
    viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    image = noisy((64, 64))
    layer = viewer.add_image(image)
    shown = Shown(viewer, make_plan(image, "YX", patch_size=(32, 32)), layer, "YX")
    monkeypatch.setattr(tile_grid, "DRAW_SHARE", 0.05)
    shown.mark((), (0,))
    shown.mark((0,), (1,))
    assert shown.marked(DONE, RUNNING) == (0, 1)
    qtbot.waitUntil(lambda: shown.marked(DONE, RUNNING) == (1, 1))
    shown.mark((1,), ())
    shown.grid.hide()
    qtbot.wait(1)
    assert shown.grid.layer is None


def test_redraws_only_for_tiles_in_view(viewer: ViewerModel) -> None:
    image = noisy((2, 256, 256))
    layer = viewer.add_image(image)
    viewer.dims.set_current_step(0, 0)
    plan = make_plan(image, "ZYX", patch_size=(32, 32), overlaps=(0, 0))
    shown = Shown(viewer, plan, layer, "ZYX")
    assert shown.grid.layer is not None
    camera_of(viewer).zoom = 50
    camera_of(viewer).center = (0, 16, 16)
    drawn: list[Any] = []
    shown.grid.layer.events.set_data.connect(drawn.append)
    shown.mark((plan.total_tiles - 1,))
    shown.mark((plan.total_tiles // 2 - 1,))
    assert drawn == []
    shown.mark((0,))
    assert len(drawn) == 1
    assert shown.marked(DONE) == (1,)


def test_lines_keep_their_width_on_the_screen(viewer: ViewerModel) -> None:
    image = noisy((64, 64))
    layer = viewer.add_image(image, scale=(0.1, 0.3))
    plan = make_plan(image, "YX", patch_size=(32, 32), overlaps=0)
    shown = Shown(viewer, plan, layer, "YX")

    def thickness() -> tuple[float, float]:
        """Height of the line across the middle, width of the one downwards."""
        assert shown.grid.layer is not None
        colours = np.asarray(shown.grid.layer.vertex_colors)
        blue = shown.grid.layer.vertices[np.isclose(colours[:, :3], SKY, atol=1e-3).all(axis=1)]
        lines = blue.reshape(-1, 4, 2)
        here = np.isclose(lines.mean(axis=1), 31.5).all(axis=1)
        down, right = np.ptp(lines, axis=1)[here].min(axis=0)
        return float(down), float(right)

    camera_of(viewer).zoom = 50
    high, wide = thickness()
    assert (high, wide) == pytest.approx((1.2 / 50 / 0.1, 1.2 / 50 / 0.3))
    camera_of(viewer).zoom = 500
    assert thickness() == pytest.approx((high / 10, wide / 10))


def test_what_comes_into_view_is_drawn(viewer: ViewerModel) -> None:
    image = np.zeros((3200, 3200), np.uint8)
    layer = viewer.add_image(image)
    plan = make_plan(image, "YX", patch_size=(32, 32), overlaps=(0, 0))
    camera_of(viewer).zoom = 4
    camera_of(viewer).center = (0, 100, 100)
    shown = Shown(viewer, plan, layer, "YX", done=range(plan.total_tiles))
    grid = shown.grid.layer
    assert grid is not None
    for middle in (100, 1600, 3100):
        camera_of(viewer).center = (0, middle, middle)
        low, high = grid.vertices.min(axis=0), grid.vertices.max(axis=0)
        assert (low <= np.maximum(middle - 75, 0)).all()
        assert (high >= np.minimum(middle + 75, 3199)).all()
        assert (low >= middle - 400).all()
        assert (high <= middle + 400).all()
    drawn: list[Any] = []
    grid.events.set_data.connect(drawn.append)
    camera_of(viewer).center = (0, 3101, 3099)
    assert drawn == []


def test_is_empty_in_3d_and_comes_back(viewer: ViewerModel) -> None:
    image = noisy((5, 64, 64))
    layer = viewer.add_image(image)
    shown = Shown(viewer, make_plan(image, "ZYX"), layer, "ZYX")
    assert shown.grid.layer is not None
    viewer.dims.ndisplay = 3
    assert np.asarray(shown.grid.layer.vertex_colors)[:, 3].max() == 0
    viewer.dims.ndisplay = 2
    assert shown.shapes(SKY) > 0
    viewer.dims.ndisplay = 3
    shown.grid.hide()
    shown.again()
    assert np.asarray(shown.grid.layer.vertex_colors)[:, 3].max() == 0
    viewer.dims.ndisplay = 2
    assert shown.shapes(SKY) > 0


def test_follows_the_plane_of_a_3d_model(viewer: ViewerModel) -> None:
    image = noisy((12, 40, 40))
    layer = viewer.add_image(image)
    viewer.dims.set_current_step(0, 0)
    plan = make_plan(image, "ZYX", Blur(3), patch_size=(6, 40, 40), overlaps=2)
    shown = Shown(viewer, plan, layer, "ZYX", done=[0])
    assert shown.marked(DONE) == (1,)
    viewer.dims.set_current_step(0, 11)
    assert shown.marked(DONE) == (0,)


def test_follows_other_orders_of_dimensions(viewer: ViewerModel) -> None:
    image = noisy((12, 40, 50))
    layer = viewer.add_image(image)
    plan = make_plan(image, "ZYX", patch_size=(20, 25), overlaps=0)
    shown = Shown(viewer, plan, layer, "ZYX", done=[0])
    viewer.dims.order = (0, 2, 1)
    viewer.dims.set_current_step(0, 0)
    assert shown.marked(DONE) == (1,)
    viewer.dims.order = (1, 0, 2)
    assert shown.grid.layer is not None
    assert np.ptp(shown.grid.layer.vertices, axis=0).tolist() == [11, 0, 49]


def test_goes_with_its_layer_and_survives_being_deleted(viewer: ViewerModel) -> None:
    image = noisy((64, 64))
    layer = viewer.add_image(image)
    other = viewer.add_image(image)
    shown = Shown(viewer, make_plan(image, "YX"), layer, "YX")
    viewer.layers.remove(shown.grid.layer)
    assert shown.grid.layer is None
    assert shown.grid.counts is None
    shown.again()
    viewer.layers.remove(layer)
    assert list(viewer.layers) == [other]
    assert shown.grid.plan is None
    shown.again()
    assert shown.grid.plan is None


@pytest.mark.parametrize("shape", [(5, 64, 80), (64, 64), (2, 5, 64, 64)])
def test_goes_where_its_layer_gets_data_of_another_shape(
    viewer: ViewerModel, shape: tuple[int, ...]
) -> None:
    image = noisy((5, 64, 64))
    layer = viewer.add_image(image)
    shown = Shown(viewer, make_plan(image, "ZYX"), layer, "ZYX")
    layer.data = noisy((5, 64, 64), seed=1)
    assert shown.grid.plan is not None
    layer.data = noisy(shape)
    assert shown.grid.plan is None
    assert list(viewer.layers) == [layer]
    viewer.dims.set_current_step(0, 1)
    shown.again()
    assert list(viewer.layers) == [layer]


def test_leaves_nothing_behind(viewer: ViewerModel) -> None:
    image = noisy((64, 64))
    layer = viewer.add_image(image)
    emitters = [
        viewer.dims.events,
        camera_of(viewer).events.zoom,
        camera_of(viewer).events.center,
        viewer.layers.events.removed,
        viewer.cursor.events.position,
        viewer.events.mouse_over_canvas,
        viewer.events.status,
        layer.events.data,
        layer.events.scale,
    ]
    before = [len(emitter.callbacks) for emitter in emitters]
    shown = Shown(viewer, make_plan(image, "YX"), layer, "YX")
    point_at(viewer, 10, 10)
    assert [len(emitter.callbacks) for emitter in emitters] != before
    shown.grid.disconnect()
    shown.grid.disconnect()
    assert [len(emitter.callbacks) for emitter in emitters] == before
    assert list(viewer.layers) == [layer]
