"""The tile pointed at, and whatever else is done to the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint
from tests.widgets.canvas_size import resize_canvas
from tests.widgets.conftest import make_plan, noisy
from tests.widgets.pointer import move
from tests.widgets.tile_grid.shown import WHITE, Shown, point_at, said

from napari_tessera.widgets import tile_grid
from napari_tessera.widgets.canvas import camera_of, grid_of
from napari_tessera.widgets.grid.look import ORANGE
from napari_tessera.widgets.grid.tile_states import DONE


def test_the_tile_pointed_at_is_outlined_and_told_of(viewer: ViewerModel) -> None:
    image = noisy((3, 128, 128))
    layer = viewer.add_image(image, scale=(1, 2, 2))
    viewer.dims.set_current_step(0, 1)
    plan = make_plan(image, "ZYX", patch_size=(48, 48), overlaps=(16, 16))
    assert plan.tiles.shape == (3, 4, 4)
    shown = Shown(viewer, plan, layer, "ZYX")
    assert shown.shapes(WHITE) == 0
    reads = shown.shapes(ORANGE)
    point_at(viewer, 1, 100, 120)
    assert shown.shapes(WHITE) == 4
    assert shown.shapes(ORANGE) > reads + 20
    assert "tile 22 (row 2, column 2 of 4 × 4, z 1) · core Y 40–71 X 40–71" in said(viewer)
    assert said(viewer).endswith("reads Y 32–79 X 32–79 · waiting")
    shown.mark((21,))
    assert said(viewer).endswith("· done")
    viewer.dims.set_current_step(0, 2)
    point_at(viewer, 2, 100, 120)
    assert "tile 38 (" in said(viewer)
    assert said(viewer).endswith("z 2) · core Y 40–71 X 40–71 · reads Y 32–79 X 32–79 · waiting")


@pytest.mark.parametrize("how", ["leave", "outside", "another z", "3d", "eye", "hide", "delete"])
def test_outlines_and_text_go(viewer: ViewerModel, how: str) -> None:
    image = noisy((3, 64, 64))
    layer = viewer.add_image(image)
    viewer.dims.set_current_step(0, 1)
    shown = Shown(viewer, make_plan(image, "ZYX", patch_size=(32, 32)), layer, "ZYX")
    viewer.status = "Ready"
    point_at(viewer, 1, 10, 10)
    assert "tile" in said(viewer)
    grid = shown.grid.layer
    assert grid is not None
    if how == "leave":
        viewer.mouse_over_canvas = False
    elif how == "outside":
        point_at(viewer, 1, 10, 64)
    elif how == "another z":
        point_at(viewer, 7, 10, 10)
    elif how == "3d":
        viewer.dims.ndisplay = 3
    elif how == "eye":
        grid.visible = False
    elif how == "hide":
        shown.grid.hide()
    else:
        viewer.layers.remove(grid)
    assert "tile" not in said(viewer)
    if shown.grid.layer is not None:
        assert shown.shapes(WHITE) == 0


def test_pointing_works_out_no_tiles_anew(
    viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.zeros((3200, 3200), np.uint8)
    layer = viewer.add_image(image)
    plan = make_plan(image, "YX", patch_size=(32, 32), overlaps=(0, 0))
    shown = Shown(viewer, plan, layer, "YX", done=range(plan.total_tiles))
    worked: list[Any] = []
    monkeypatch.setattr(tile_grid, "draw_grid", lambda *args: worked.append(args))
    for x in range(0, 3200, 100):
        point_at(viewer, 50, x)
        assert shown.shapes(WHITE) == 4
    assert worked == []


def test_an_rgb_image_has_one_grid_for_its_colours(viewer: ViewerModel) -> None:
    image = noisy((64, 64, 3)).astype(np.uint8)
    layer = viewer.add_image(image, rgb=True)
    plan = make_plan(image, "YXC", patch_size=(32, 32), overlaps=0)
    shown = Shown(viewer, plan, layer, "YX", done=range(9))
    assert shown.marked(DONE) == (1,)
    point_at(viewer, 10, 10)
    assert said(viewer).endswith(" · tile 1 (row 1, column 1 of 2 × 2) · core Y 0–31 X 0–31 · done")


def test_a_layer_of_fewer_dimensions_than_the_viewer(viewer: ViewerModel) -> None:
    viewer.add_image(noisy((4, 64, 64)))
    image = noisy((64, 64))
    layer = viewer.add_image(image)
    shown = Shown(viewer, make_plan(image, "YX", patch_size=(32, 32)), layer, "YX")
    viewer.dims.set_current_step(0, 2)
    point_at(viewer, 2, 40, 40)
    assert shown.shapes(WHITE) == 4


def add_another(viewer: ViewerModel, layer: Any) -> None:
    viewer.add_image(noisy((2, 3, 40, 40)))
    viewer.dims.set_current_step(0, 1)


def turn_out_of_the_plane(viewer: ViewerModel, layer: Any) -> None:
    layer.rotate = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    viewer.dims.set_current_step(0, 3)
    camera_of(viewer).zoom = 3
    layer.rotate = np.eye(3)


def fold_away(viewer: ViewerModel, layer: Any) -> None:
    resize_canvas(viewer, 0, 0)
    camera_of(viewer).zoom = 7


def mirror(viewer: ViewerModel, layer: Any) -> None:
    layer.scale = (1, -2, 0.5)
    viewer.fit_to_view()


def clear(viewer: ViewerModel, layer: Any) -> None:
    viewer.layers.clear()


def remove_all(viewer: ViewerModel, layer: Any) -> None:
    viewer.layers.select_all()
    viewer.layers.remove_selected()


def reorder(viewer: ViewerModel, layer: Any) -> None:
    viewer.layers.reverse()
    layer.name = "Tiles"
    viewer.dims.transpose()
    viewer.dims.roll()


def side_by_side(viewer: ViewerModel, layer: Any) -> None:
    grid_of(viewer).enabled = True
    camera_of(viewer).zoom = 2


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")
@pytest.mark.parametrize(
    "do",
    [
        add_another,
        turn_out_of_the_plane,
        fold_away,
        mirror,
        clear,
        remove_all,
        reorder,
        side_by_side,
    ],
)
def test_bears_whatever_is_done_to_the_viewer(viewer: ViewerModel, do: Any) -> None:
    image = noisy((5, 64, 60))
    layer = viewer.add_image(image)
    plan = make_plan(image, "ZYX", patch_size=(32, 32))
    shown = Shown(viewer, plan, layer, "ZYX", done=range(7))
    point_at(viewer, 2, 20, 30)
    do(viewer, layer)
    viewer.cursor.position = tuple(3.0 for _ in range(viewer.dims.ndim))
    shown.mark((9,), (10, 11), (12,))
    assert (shown.grid.layer is not None) == (layer in viewer.layers)
    if shown.grid.layer is not None:
        assert np.isfinite(shown.grid.layer.vertices).all()
        assert (shown.grid.layer.vertices <= np.array(image.shape) - 1).all()
    shown.grid.disconnect()


def test_follows_a_real_mouse_in_a_window(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    image = np.zeros((128, 128), np.float32)
    layer = viewer.add_image(image, contrast_limits=(0, 1))
    plan = make_plan(image, "YX", patch_size=(64, 64), overlaps=(16, 16))
    canvas = viewer.window._qt_viewer.canvas.native
    # the status bar grows with a font that its text needs, and pictures could not be compared
    canvas.setFixedSize(canvas.size())
    outside, inside = QPoint(3, 3), QPoint(canvas.width() // 2 - 20, canvas.height() // 2 - 20)
    move(canvas, outside)
    qtbot.waitUntil(lambda: viewer.cursor.position[0] < 0)
    viewer.mouse_over_canvas = True
    # As napari does in a thread of its own, which tests of windows go without.
    viewer.update_status_from_cursor()
    qtbot.wait(1)
    before = viewer.screenshot(flash=False)
    shown = Shown(viewer, plan, layer, "YX")
    shown.mark((0,), (1,))
    grid = viewer.screenshot(flash=False)
    assert (before != grid).any(axis=-1).sum() > 1000
    move(canvas, inside)
    qtbot.waitUntil(lambda: "tile" in said(viewer))
    viewer.update_status_from_cursor()
    assert "]: 0 · tile 5 (row 2" in said(viewer)
    bar = viewer.window._status_bar
    qtbot.waitUntil(lambda: "reads Y 48–111" in bar._coordinates.text())
    pointed = viewer.screenshot(flash=False)
    assert (grid != pointed).any(axis=-1).sum() > 300
    move(canvas, outside)
    qtbot.waitUntil(lambda: "tile" not in said(viewer))
    np.testing.assert_array_equal(viewer.screenshot(flash=False), grid)
    shown.grid.disconnect()
    np.testing.assert_array_equal(viewer.screenshot(flash=False), before)
