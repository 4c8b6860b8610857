"""What is on display, as a selection: sliders, display order, zoom, transforms, units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from tests.widgets.canvas_size import resize_canvas

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.view_region import (
    slice_on_display,
    slice_selection,
    view_center,
    visible_selection,
)


def look_at(viewer: ViewerModel, center: tuple[float, ...], zoom: float) -> None:
    resize_canvas(viewer, 100, 200)
    camera_of(viewer).center = center
    camera_of(viewer).zoom = zoom


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def test_zoomed_in_view_is_the_range_of_pixels_it_meets(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((300, 400)))
    look_at(viewer, (0, 150, 200), 10)  # 10 × 20 pixels around (150, 200)
    selection = visible_selection(viewer, layer, "YX")
    assert selection == {"Y": slice(145, 156), "X": slice(190, 211)}


def test_zoomed_out_view_is_the_whole_plane(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((30, 40)))
    look_at(viewer, (0, 15, 20), 0.1)
    assert visible_selection(viewer, layer, "YX") == {"Y": slice(0, 30), "X": slice(0, 40)}


def test_view_beside_the_layer_says_so(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((30, 40)), name="cells")
    look_at(viewer, (0, 1000, 1000), 10)
    with pytest.raises(PlanError, match="nothing of cells is in view: move it") as error:
        visible_selection(viewer, layer, "YX")
    assert error.value.field == "area"


def test_scale_and_translate_are_undone(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((300, 400)), scale=(0.5, 0.5), translate=(10, 20))
    look_at(viewer, (0, 10 + 75, 20 + 100), 10)  # 10 × 20 world units: 20 × 40 pixels
    selection = visible_selection(viewer, layer, "YX")
    assert selection == {"Y": slice(140, 161), "X": slice(180, 221)}


def test_a_rotated_layer_is_covered_by_the_box_around_the_view(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((300, 300)), rotate=90)
    look_at(viewer, tuple(layer.data_to_world((150, 150))), 10)
    selection = visible_selection(viewer, layer, "YX")
    # A quarter turn: what is 20 wide on the canvas is 20 high in the image.
    assert selection == {"Y": slice(140, 161), "X": slice(145, 156)}


def test_sliders_pick_the_plane_and_the_time_point(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((5, 7, 30, 40)), scale=(1, 2, 1, 1))
    viewer.dims.set_current_step((0, 1), (3, 4))
    assert slice_on_display(viewer, layer, "TZYX").indices == {"T": 3, "Z": 4}
    assert slice_selection(viewer, layer, "TZYX") == {"T": 3, "Z": 4}
    look_at(viewer, (0, 15, 20), 0.1)
    assert visible_selection(viewer, layer, "TZYX") == {
        "T": 3,
        "Z": 4,
        "Y": slice(0, 30),
        "X": slice(0, 40),
    }


def test_a_slice_has_all_channels_and_a_view_the_one_on_display(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((3, 2, 30, 40)))
    viewer.dims.set_current_step((0, 1), (2, 1))
    look_at(viewer, (0, 15, 20), 0.1)
    assert slice_selection(viewer, layer, "ZCYX") == {"Z": 2}
    assert visible_selection(viewer, layer, "ZCYX")["C"] == 1


def test_other_display_order_shows_other_axes(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((20, 30, 40)))
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 12)
    look_at(viewer, (0, 10, 20), 10)
    on_display = slice_on_display(viewer, layer, "ZYX")
    assert (on_display.displayed, on_display.indices) == ("ZX", {"Y": 12})
    assert visible_selection(viewer, layer, "ZYX") == {
        "Z": slice(5, 16),
        "Y": 12,
        "X": slice(10, 31),
    }


def test_3d_display_is_the_volume_of_the_time_point(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((5, 7, 30, 40)))
    viewer.dims.set_current_step(0, 2)
    viewer.dims.ndisplay = 3
    assert visible_selection(viewer, layer, "TZYX") == {"T": 2}
    assert slice_selection(viewer, layer, "TZYX") == {"T": 2}


def test_a_layer_with_fewer_axes_than_the_viewer(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((5, 7, 30, 40)))
    plane = viewer.add_image(np.zeros((30, 40)))
    volume = viewer.add_image(np.zeros((7, 30, 40)))
    viewer.dims.set_current_step((0, 1), (4, 6))
    assert slice_on_display(viewer, plane, "YX").indices == {}
    assert slice_on_display(viewer, volume, "ZYX").indices == {"Z": 6}


def test_a_slider_outside_the_layer_counts_as_its_nearest_index(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((9, 30, 40)))
    short = viewer.add_image(np.zeros((4, 30, 40)))
    viewer.dims.set_current_step(0, 8)
    assert slice_on_display(viewer, short, "ZYX").indices == {"Z": 3}


def test_sliders_in_the_units_of_another_layer(viewer: ViewerModel) -> None:
    micro = {"units": ("um", "um", "um"), "scale": (2, 0.5, 0.5)}
    nano = {"units": ("nm", "nm", "nm"), "scale": (2000, 500, 500)}
    first = viewer.add_image(np.zeros((9, 30, 40)), **micro)
    second = viewer.add_image(np.zeros((9, 30, 40)), **nano)
    viewer.dims.set_point(0, 10_000 if str(viewer.dims.units[0]) == "nanometer" else 10)
    assert slice_on_display(viewer, first, "ZYX").indices == {"Z": 5}
    assert slice_on_display(viewer, second, "ZYX").indices == {"Z": 5}


def test_rgb_has_no_channel_dimension(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((4, 30, 40, 3), np.uint8), rgb=True)
    viewer.dims.set_current_step(0, 2)
    assert slice_selection(viewer, layer, "ZYX") == {"Z": 2}


def test_center_of_the_view_stays_inside_the_image(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((5, 30, 40)), scale=(1, 2, 2))
    viewer.dims.set_current_step(0, 3)
    look_at(viewer, (0, 20, 30), 10)
    assert view_center(viewer, layer, "ZYX") == {"Z": 3, "Y": 10, "X": 15}
    look_at(viewer, (0, 1e4, -1e4), 10)
    assert view_center(viewer, layer, "ZYX") == {"Z": 3, "Y": 29, "X": 0}


@given(
    center=st.tuples(st.floats(0, 90), st.floats(0, 110)),
    zoom=st.floats(1.5, 40),
    scale=st.floats(0.2, 3),
)
def test_every_pixel_on_the_canvas_is_selected_and_no_row_beside_it(
    center: tuple[float, float], zoom: float, scale: float
) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((91, 111)), scale=(scale, scale))
    look_at(viewer, (0, center[0] * scale, center[1] * scale), zoom)
    selection = visible_selection(viewer, layer, "YX")
    for letter, at, pixels, size in (("Y", center[0], 100, 91), ("X", center[1], 200, 111)):
        half = pixels / zoom / scale / 2
        low, high = at - half, at + half
        chosen = selection[letter]
        assert isinstance(chosen, slice)
        inside = [i for i in range(size) if i + 0.5 > low + 1e-6 and i - 0.5 < high - 1e-6]
        assert set(inside) <= set(range(chosen.start, chosen.stop))
        assert chosen.stop - chosen.start <= len(inside) + 2


def test_view_agrees_with_what_napari_draws(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    layer = viewer.add_image(np.zeros((4, 300, 400)), scale=(1, 0.5, 0.5))
    before = camera_of(viewer).zoom
    camera_of(viewer).zoom = 4 * before
    qtbot.waitUntil(lambda: np.ptp(layer.corner_pixels[:, 2]) not in (0, 399))
    selection = visible_selection(viewer, layer, "ZYX")
    for d, letter in ((1, "Y"), (2, "X")):
        chosen = selection[letter]
        low, high = layer.corner_pixels[:, d]
        assert abs(chosen.start - low) <= 1
        assert abs(chosen.stop - 1 - high) <= 1


def test_multiscale_counts_in_pixels_of_level_0(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer(show=True)
    levels = [np.zeros((2048 // f, 2048 // f), np.uint8) for f in (1, 4, 16)]
    layer = viewer.add_image(levels, multiscale=True)
    assert visible_selection(viewer, layer, "YX") == {"Y": slice(0, 2048), "X": slice(0, 2048)}
    camera_of(viewer).zoom *= 16
    selection = visible_selection(viewer, layer, "YX")
    assert 0 < selection["Y"].start < 1024 < selection["Y"].stop < 2048
