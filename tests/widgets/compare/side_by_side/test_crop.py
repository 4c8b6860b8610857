"""What is compared is what is in view, in one plane, whatever the layer's axes are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, noisy

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.compare.side_by_side.candidate import Candidate
from napari_tessera.widgets.compare.side_by_side.crop import (
    IN_3D,
    MOST_EDGE,
    ViewCrop,
    crop_of,
    crop_request,
    run_of,
)
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.request import EVERYTHING, RunRequest


def request_of(layer: Any, model: Any = None, **settings: Any) -> RunRequest:
    settings = {"patch_size": (32, 32), "device": "cpu", **settings}
    return RunRequest((layer,), model or Blur(), **settings)


def predicted(viewer: ViewerModel, request: RunRequest, crop: ViewCrop) -> np.ndarray:
    """The plane that a candidate makes of a crop."""
    candidate = Candidate(request)
    candidate.run = run_of(viewer, request, crop)
    assert candidate.plane(crop) is None
    candidate.take(candidate.prepare(ModelCache()))
    assert candidate.predict().completed
    plane = candidate.plane(crop)
    assert plane is not None
    return plane


def test_of_a_stack_it_is_the_part_of_the_plane_in_view() -> None:
    viewer = ViewerModel()
    image = noisy((2, 3, 90, 120))
    layer = viewer.add_image(image, name="cells", axis_labels=("t", "z", "y", "x"))
    viewer.dims.set_current_step(0, 1)
    viewer.dims.set_current_step(1, 2)
    camera_of(viewer).zoom = 20
    camera_of(viewer).center = (0, 40, 60)
    request = request_of(layer, area=EVERYTHING)
    crop = crop_of(viewer, request)
    rows, columns = crop.selection["Y"], crop.selection["X"]
    assert isinstance(rows, slice)
    assert isinstance(columns, slice)
    assert crop.shape == (rows.stop - rows.start, columns.stop - columns.start)
    assert crop.shape < (90, 120)
    wanted = image[1, 2][rows, columns]
    np.testing.assert_array_equal(crop.read_input(), wanted)
    assert crop.text == f"cells · T 1 · Z 2 · {crop.shape[0]} × {crop.shape[1]} px"
    # the view moves on, what is compared stays
    viewer.dims.set_current_step(0, 0)
    plane = predicted(viewer, request, crop)
    assert plane.shape == wanted.shape
    assert abs(plane[1:-1, 1:-1].mean() - wanted.mean()) < 1


def test_of_a_large_view_it_is_the_middle() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((MOST_EDGE + 100, 50), np.uint8), name="cells")
    camera_of(viewer).zoom = 0.1
    crop = crop_of(viewer, request_of(layer))
    assert crop.shape == (MOST_EDGE, 50)
    assert crop.selection["Y"] == slice(50, 50 + MOST_EDGE)
    assert crop.text == f"cells · middle {MOST_EDGE} × 50 px"


def test_turned_axes_are_shown_as_the_canvas_does() -> None:
    viewer = ViewerModel()
    image = noisy((5, 40, 30))
    layer = viewer.add_image(image, name="cells", scale=(3, 1, 1.5), axis_labels=("z", "y", "x"))
    viewer.dims.order = (1, 2, 0)
    viewer.dims.set_current_step(1, 7)
    camera_of(viewer).zoom = 1
    request = request_of(layer)
    crop = crop_of(viewer, request)
    assert (crop.rows, crop.columns, crop.aspect) == ("X", "Z", 0.5)
    np.testing.assert_array_equal(crop.read_input(), image[:, 7].T)
    assert predicted(viewer, request, crop).shape == (30, 5)


@pytest.mark.parametrize("channels", [1, 3])
def test_of_channels_it_is_the_one_on_display(channels: int) -> None:
    viewer = ViewerModel()
    image = noisy((3, 40, 40)) * np.array([1, 10, 100], np.float32)[:, None, None]
    layer = viewer.add_image(image, name="cells", axis_labels=("c", "y", "x"))
    viewer.dims.set_current_step(0, 2)
    camera_of(viewer).zoom = 1
    request = request_of(layer, Blur(channels=channels), axes="CYX")
    crop = crop_of(viewer, request)
    np.testing.assert_array_equal(crop.read_input(), image[2])
    plane = predicted(viewer, request, crop)
    assert plane[5:-5, 5:-5].mean() == pytest.approx(image[2].mean(), rel=0.01)


def test_a_model_of_volumes_gives_the_plane_on_display() -> None:
    viewer = ViewerModel()
    image = noisy((6, 40, 40))
    layer = viewer.add_image(image, name="cells", axis_labels=("z", "y", "x"))
    viewer.dims.set_current_step(0, 3)
    camera_of(viewer).zoom = 1
    request = request_of(layer, Blur(3), patch_size=(6, 32, 32))
    crop = crop_of(viewer, request)
    plane = predicted(viewer, request, crop)
    np.testing.assert_allclose(plane[5, 5], image[2:5, 4:7, 4:7].mean(), rtol=1e-5)


@pytest.mark.parametrize("colours", [3, 4])
def test_colours_stay_colours(colours: int) -> None:
    viewer = ViewerModel()
    pixels = noisy((40, 50, colours)).astype(np.uint8)
    layer = viewer.add_image(pixels, name="cells", rgb=True)
    camera_of(viewer).zoom = 1
    request = request_of(layer)
    crop = crop_of(viewer, request)
    np.testing.assert_array_equal(crop.read_input(), pixels)
    plane = predicted(viewer, request, crop)
    assert plane.dtype == np.uint8
    assert plane.shape == (40, 50, colours)
    assert abs(float(plane[2:-2, 2:-2, :3].mean()) - float(pixels[..., :3].mean())) < 2


def test_of_levels_it_is_the_finest() -> None:
    viewer = ViewerModel()
    image = noisy((60, 60))
    layer = viewer.add_image([image, image[::2, ::2]], name="cells", multiscale=True)
    camera_of(viewer).zoom = 1
    crop = crop_of(viewer, request_of(layer))
    np.testing.assert_array_equal(crop.read_input(), image)


def test_why_there_is_none() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((4, 40, 40)), name="cells")
    request = request_of(layer)
    viewer.dims.ndisplay = 3
    with pytest.raises(PlanError, match="switch to 2D display"):
        crop_of(viewer, request)
    assert IN_3D.startswith("the view")
    viewer.dims.ndisplay = 2
    camera_of(viewer).center = (0, 1e6, 1e6)
    with pytest.raises(PlanError, match="nothing of cells is in view"):
        crop_of(viewer, request)
    with pytest.raises(PlanError, match="no image is chosen"):
        crop_of(viewer, RunRequest(()))
    assert crop_request(request, layer).layers == (layer,)
