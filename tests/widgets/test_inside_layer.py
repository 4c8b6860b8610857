"""Shapes and Labels layers as what is inside an image, whatever lies between the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes

from napari_tessera.prediction import Outline, PlacedMask, PlanError
from napari_tessera.widgets import inside_layer
from napari_tessera.widgets.drawn_shapes import DrawnShapes
from napari_tessera.widgets.inside_layer import planned_inside, read_inside
from napari_tessera.widgets.layer_affine import LayerAffine

SQUARE = np.array([[10.0, 20], [10, 40], [30, 40], [30, 20]])


def image(shape: tuple[int, ...] = (5, 60, 80), **look: Any) -> Image:
    return Image(np.zeros(shape, np.float32), name="cells", **look)


def read(layer: Any, of: Image | None = None, letters: str = "ZYX") -> Any:
    return planned_inside(read_inside(layer, of or image(), letters))


def points(outline: Outline) -> np.ndarray:
    return outline.corners


def test_shapes_of_the_plane_hold_for_all_planes() -> None:
    (outline,) = read(Shapes([SQUARE]))
    assert outline == Outline(tuple(map(tuple, SQUARE.tolist())))
    assert outline.at == {}


def test_shapes_drawn_in_a_plane_hold_for_that_one() -> None:
    def at(z: float) -> np.ndarray:
        return np.column_stack([np.full(4, z), SQUARE])

    found = read(Shapes([at(3), at(0)], ndim=3))
    assert [outline.at for outline in found] == [{"Z": 3}, {"Z": 0}]
    np.testing.assert_array_equal(points(found[0]), SQUARE)
    timed = Shapes([np.column_stack([np.full(4, 7), at(3)])], ndim=4)
    (outline,) = read(timed)
    assert outline.at == {"Z": 3}, "the image has no such axis"
    (outline,) = read(timed, image((9, 5, 60, 80)), "TZYX")
    assert outline.at == {"T": 7, "Z": 3}


@pytest.mark.parametrize(
    ("kind", "corners", "expected"),
    [
        ("polygon", SQUARE[:3], "polygon"),
        ("rectangle", SQUARE, "polygon"),
        ("ellipse", SQUARE, "ellipse"),
        ("path", SQUARE, "path"),
        ("line", SQUARE[:2], "path"),
    ],
)
def test_every_type_of_shape(kind: str, corners: np.ndarray, expected: str) -> None:
    layer = Shapes([corners], shape_type=kind)
    (outline,) = read(layer)
    assert outline.kind == expected
    np.testing.assert_array_equal(points(outline), np.asarray(layer.data[0]))


@st.composite
def looks(draw: st.DrawFn, ndim: int) -> dict[str, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    look: dict[str, Any] = {
        "scale": rng.uniform(0.2, 3, ndim),
        "translate": rng.uniform(-50, 50, ndim),
    }
    if ndim == 2 and draw(st.booleans()):
        look["rotate"] = float(rng.uniform(-80, 80))
    if ndim == 2 and draw(st.booleans()):
        affine = np.eye(3)
        affine[:2] += rng.uniform(-0.2, 0.2, (2, 3))
        look["affine"] = affine
    return look


@settings(max_examples=20, deadline=None)
@given(looks(2), looks(2))
def test_what_is_drawn_over_a_pixel_is_there_whatever_the_transforms(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    cells = image((60, 80), **ours)
    drawn = Shapes([np.zeros((4, 2))], shape_type="polygon", **theirs)
    world = np.array([cells.data_to_world(corner) for corner in SQUARE])
    corners = np.array([drawn.world_to_data(corner) for corner in world])
    drawn.add(corners, shape_type="polygon")
    drawn.selected_data = {0}
    drawn.remove_selected()
    (outline,) = read(drawn, cells, "YX")
    np.testing.assert_allclose(points(outline), SQUARE, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(looks(3), looks(3), st.integers(0, 9999))
def test_positions_go_through_the_world(
    ours: dict[str, Any], theirs: dict[str, Any], seed: int
) -> None:
    one, other = image(**ours), Labels(np.zeros((4, 5, 6), int), **theirs)
    at = np.random.default_rng(seed).uniform(-50, 50, (3, 3))
    expected = [other.world_to_data(one.data_to_world(position)) for position in at]
    np.testing.assert_allclose(LayerAffine.between(one, other)(at), expected, atol=1e-6)


def test_units_are_converted_and_those_of_other_kinds_are_not() -> None:
    cells = image((60, 80), scale=(0.5, 0.5), units="um")
    drawn = Shapes([SQUARE * 500], scale=(1, 1), units="nm")
    (outline,) = read(drawn, cells, "YX")
    np.testing.assert_allclose(points(outline), SQUARE, atol=1e-3)
    (outline,) = read(Shapes([SQUARE]), image((60, 80), units="um"), "YX")
    np.testing.assert_allclose(points(outline), SQUARE)


def test_levels_of_a_large_image_share_its_pixels() -> None:
    pixels = np.zeros((200, 300), np.float32)
    cells = Image([pixels, pixels[::2, ::2]], multiscale=True, scale=(2, 2))
    (outline,) = read(Shapes([SQUARE * 2]), cells, "YX")
    np.testing.assert_allclose(points(outline), SQUARE)


def test_labels_are_a_mask_placed_on_the_image() -> None:
    pixels = np.zeros((30, 40), int)
    mask = read(Labels(pixels, scale=(2, 2), translate=(10, 0)))
    assert isinstance(mask, PlacedMask)
    assert mask.axes == "YX"
    np.testing.assert_allclose(mask.matrix, np.eye(2) / 2)
    np.testing.assert_allclose(mask.offset, (-5, 0))
    volume = read(Labels(np.zeros((5, 60, 80), int)))
    assert volume.axes == "ZYX"
    np.testing.assert_allclose(volume.matrix, np.eye(3))
    more = read(Labels(np.zeros((2, 5, 60, 80), int)))
    assert (more.axes, more.pixels.shape) == ("ZYX", (2, 5, 60, 80))


def test_labels_are_as_they_were_unless_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = Labels(np.zeros((60, 80), np.uint8))
    mask = read(labels)
    labels.paint((5, 5), 1)
    assert not mask.pixels.any()
    monkeypatch.setattr(inside_layer, "COPIED_BYTES", 100)
    assert read(labels).pixels is labels.data


def test_shapes_are_copied_at_once_and_read_later() -> None:
    marks = Shapes([SQUARE, SQUARE[:3]], shape_type=["ellipse", "polygon"])
    read_at_click = read_inside(marks, image(), "ZYX")
    # no outline is made yet: that would take the time of the window
    assert isinstance(read_at_click, DrawnShapes)
    assert "outlines" not in vars(read_at_click)
    # as napari itself does where a corner is dragged
    marks.data[0][:] += 7
    marks.remove([1])
    one, other = read_at_click.outlines
    np.testing.assert_array_equal(points(one), SQUARE)
    np.testing.assert_array_equal(points(other), SQUARE[:3])
    assert (one.kind, other.kind) == ("ellipse", "polygon")
    assert read_at_click.outlines is read_at_click.outlines, "made once"


@pytest.mark.parametrize(
    ("layer", "letters", "message"),
    [
        (Shapes(name="marks"), "ZYX", "marks has no shapes: draw one over cells"),
        (
            Shapes([np.column_stack([[0, 1, 2, 3], SQUARE])], ndim=3, name="marks"),
            "ZYX",
            "shape 0 of marks goes through several planes along Z",
        ),
        (Shapes([SQUARE], name="marks"), "YXZ", "marks has not the axes Y and X"),
        (Labels(np.zeros((5, 5), int), name="marks"), "YXZ", "marks has not the axes Y and X"),
    ],
)
def test_what_cannot_be_inside_is_told_at_the_area(layer: Any, letters: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as error:
        read(layer, letters=letters)
    assert error.value.field == "area"


def test_a_viewer_of_more_dimensions_changes_nothing() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 5, 60, 80)))
    cells = viewer.add_image(np.zeros((60, 80)))
    marks = viewer.add_shapes([SQUARE], shape_type="polygon")
    viewer.dims.set_current_step(0, 3)
    (outline,) = read(marks, cells, "YX")
    np.testing.assert_array_equal(points(outline), SQUARE)
