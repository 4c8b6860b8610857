"""The grid in a viewer: follows slices, zoom and marks, and is never in the way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.widgets import tile_grid
from napari_tessera.widgets.tile_grid import COLOURS, DONE, GRID_NAME, RUNNING, TileGrid


def strokes(grid: TileGrid, state: int) -> int:
    assert grid.layer is not None
    colours = np.asarray(grid.layer.edge_color)
    return int(np.isclose(colours, COLOURS[state]).all(axis=1).sum())


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture(autouse=True)
def drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_grid, "DRAW_SHARE", math.inf)


def test_lies_on_its_layer_and_changes_no_slider(viewer: ViewerModel) -> None:
    image = noisy((5, 100, 90))
    place: dict[str, Any] = {
        "scale": (2, 0.5, 0.5),
        "translate": (1, 2, 3),
        "rotate": (0, 0, 10),
        "shear": (0, 0, 0.1),
        "units": ("um", "um", "um"),
        "axis_labels": ("z", "y", "x"),
    }
    layer = viewer.add_image(image, **place)
    ranges, units = viewer.dims.range, viewer.dims.units
    grid = TileGrid(viewer)
    grid.show(make_plan(image, "ZYX", patch_size=(32, 32)), layer, "ZYX")
    assert grid.layer is not None
    assert grid.layer.name == GRID_NAME
    point = (3.0, 7.0, 11.0)
    np.testing.assert_allclose(grid.layer.data_to_world(point), layer.data_to_world(point))
    np.testing.assert_allclose(viewer.dims.range, ranges)
    assert viewer.dims.units == units


def test_never_takes_the_selection(viewer: ViewerModel) -> None:
    image = noisy((64, 64))
    first, second = viewer.add_image(image), viewer.add_image(image)
    viewer.layers.selection = {first, second}
    changes = []
    viewer.layers.selection.events.changed.connect(changes.append)
    grid = TileGrid(viewer)
    grid.show(make_plan(image, "YX"), first, "YX")
    grid.hide()
    assert viewer.layers.selection == {first, second}
    assert changes == []
    assert list(viewer.layers) == [first, second]


def test_has_the_slice_on_display_alone_and_follows_it(viewer: ViewerModel) -> None:
    image = noisy((5, 64, 64))
    layer = viewer.add_image(image)
    grid = TileGrid(viewer)
    grid.show(make_plan(image, "ZYX", patch_size=(32, 32)), layer, "ZYX", done=range(4))
    assert grid.layer is not None
    viewer.dims.set_current_step(0, 3)
    assert set(grid.layer.data[:, 0, 0]) == {3}
    assert strokes(grid, DONE) == 0
    viewer.dims.set_current_step(0, 0)
    assert set(grid.layer.data[:, 0, 0]) == {0}
    assert strokes(grid, DONE) == 2 * 4


def test_marks_what_is_done_and_running(viewer: ViewerModel) -> None:
    image = noisy((2, 64, 64))
    layer = viewer.add_image(image)
    viewer.dims.set_current_step(0, 0)
    grid = TileGrid(viewer)
    plan = make_plan(image, "ZYX", patch_size=(32, 32))
    per_plane = plan.total_tiles // 2
    grid.show(plan, layer, "ZYX")
    grid.mark((), (0, 1))
    assert (strokes(grid, DONE), strokes(grid, RUNNING)) == (0, 8)
    grid.mark((0, 1), (2, per_plane))
    assert (strokes(grid, DONE), strokes(grid, RUNNING)) == (4, 4)
    grid.mark((2, per_plane, per_plane + 1), ())
    assert (strokes(grid, DONE), strokes(grid, RUNNING)) == (6, 0)
    viewer.dims.set_current_step(0, 1)
    assert strokes(grid, DONE) == 4


def test_marks_wait_where_drawing_takes_long(
    viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_grid, "DRAW_SHARE", 1e-9)
    image = noisy((64, 64))
    layer = viewer.add_image(image)
    grid = TileGrid(viewer)
    grid.show(make_plan(image, "YX", patch_size=(32, 32)), layer, "YX")
    grid.mark((), (0,))
    grid.mark((0,), (1,))
    grid.tick()
    assert (strokes(grid, DONE), strokes(grid, RUNNING)) == (0, 0)
    monkeypatch.setattr(grid, "_not_before", 0.0)
    grid.tick()
    assert (strokes(grid, DONE), strokes(grid, RUNNING)) == (2, 4)
    grid.mark((1,), ())
    assert (strokes(grid, DONE), strokes(grid, RUNNING)) == (4, 0)


def test_redraws_only_for_tiles_on_display(viewer: ViewerModel) -> None:
    image = noisy((2, 64, 64))
    layer = viewer.add_image(image)
    viewer.dims.set_current_step(0, 0)
    grid = TileGrid(viewer)
    plan = make_plan(image, "ZYX", patch_size=(32, 32))
    grid.show(plan, layer, "ZYX")
    assert grid.layer is not None
    drawn = []
    grid.layer.events.data.connect(drawn.append)
    grid.mark((plan.total_tiles - 1,), ())
    assert drawn == []
    grid.mark((0,), ())
    assert len(drawn) == 1


def test_lines_keep_their_width_on_the_screen(viewer: ViewerModel) -> None:
    image = noisy((64, 64))
    layer = viewer.add_image(image, scale=(0.1, 0.1))
    grid = TileGrid(viewer)
    viewer.scene.camera.zoom = 50
    grid.show(make_plan(image, "YX", patch_size=(32, 32)), layer, "YX")
    assert grid.layer is not None
    thick = grid.layer.edge_width
    viewer.scene.camera.zoom = 500
    assert grid.layer.edge_width == pytest.approx(thick / 10)


def test_is_empty_in_3d_and_comes_back(viewer: ViewerModel) -> None:
    image = noisy((5, 64, 64))
    layer = viewer.add_image(image)
    grid = TileGrid(viewer)
    grid.show(make_plan(image, "ZYX"), layer, "ZYX")
    assert grid.layer is not None
    viewer.dims.ndisplay = 3
    assert np.asarray(grid.layer.edge_color)[:, 3].max() == 0
    viewer.dims.ndisplay = 2
    assert strokes(grid, 0) > 0
    viewer.dims.ndisplay = 3
    grid.hide()
    grid.show(make_plan(image, "ZYX"), layer, "ZYX")
    assert np.asarray(grid.layer.edge_color)[:, 3].max() == 0
    viewer.dims.ndisplay = 2
    assert strokes(grid, 0) > 0


def test_follows_the_plane_of_a_3d_model(viewer: ViewerModel) -> None:
    image = noisy((12, 40, 40))
    layer = viewer.add_image(image)
    viewer.dims.set_current_step(0, 0)
    grid = TileGrid(viewer)
    plan = make_plan(image, "ZYX", Blur(3), patch_size=(6, 40, 40), overlaps=2)
    grid.show(plan, layer, "ZYX", done=[0])
    assert strokes(grid, DONE) == 2
    viewer.dims.set_current_step(0, 11)
    assert strokes(grid, DONE) == 0


def test_goes_with_its_layer_and_survives_being_deleted(viewer: ViewerModel) -> None:
    image = noisy((64, 64))
    layer = viewer.add_image(image)
    other = viewer.add_image(image)
    grid = TileGrid(viewer)
    plan = make_plan(image, "YX")
    grid.show(plan, layer, "YX")
    viewer.layers.remove(grid.layer)
    assert grid.layer is None
    grid.show(plan, layer, "YX")
    viewer.layers.remove(layer)
    assert list(viewer.layers) == [other]
    assert grid.plan is None


def test_sixteen_thousand_tiles_are_few_lines() -> None:
    viewer = ViewerModel()
    image = np.zeros((128 * 72 + 8, 128 * 72 + 8), np.uint8)
    layer = viewer.add_image(image)
    plan = make_plan(image, "YX", patch_size=(80, 80), overlaps=(8, 8))
    assert plan.total_tiles == 16_384
    grid = TileGrid(viewer)
    viewer.scene.camera.zoom = 1
    grid.show(plan, layer, "YX", done=range(16_384))
    assert strokes(grid, DONE) == 2 * 16_384
    assert grid.layer is not None
    assert len(grid.layer.data) - 2 * 16_384 < 1000


def test_draws_in_a_window(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer(show=True)
    image = np.zeros((128, 128), np.float32)
    layer = viewer.add_image(image, contrast_limits=(0, 1))
    before = viewer.screenshot(flash=False)
    grid = TileGrid(viewer)
    grid.show(make_plan(image, "YX", patch_size=(64, 64), overlaps=(16, 16)), layer, "YX")
    grid.mark((0,), (1,))
    after = viewer.screenshot(flash=False)
    assert (before != after).any(axis=-1).sum() > 1000
    grid.disconnect()
    np.testing.assert_array_equal(viewer.screenshot(flash=False), before)
