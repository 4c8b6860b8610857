"""Output layers: on their input, looking like it, found again, never in its way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from tests.widgets.conftest import noisy

from napari_tessera.region import Region
from napari_tessera.widgets.output_layer import (
    INPUT_KEY,
    OUTPUT_KEY,
    PREVIEW_KEY,
    add_output_layer,
    appearance,
    find_preview,
    output_name,
    placement,
)

EVERYWHERE: dict[str, Any] = {
    "scale": (2, 0.5, 0.4),
    "translate": (1, 2, 3),
    "rotate": (10, 20, 30),
    "shear": (0.1, 0.2, 0.3),
    "affine": np.array([[1, 0, 0, 3], [0, 2, 0, 3], [0, 0.1, 1, 3], [0, 0, 0, 1.0]]),
    "units": ("um", "um", "um"),
    "axis_labels": ("z", "y", "x"),
}


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def add(viewer: ViewerModel, layer: Image, data: Any, letters: str, axes: str, held: Region) -> Any:
    return add_output_layer(
        viewer,
        layer,
        data,
        output_name(layer),
        placement(layer, letters, axes, held),
        appearance(viewer, layer, False),
    )


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_lies_exactly_on_its_input(viewer: ViewerModel) -> None:
    image = noisy((4, 20, 30))
    layer = viewer.add_image(image, **EVERYWHERE)
    output = add(viewer, layer, image, "ZYX", "ZYX", Region.from_selection("ZYX", image.shape))
    for name in ("scale", "translate", "rotate", "shear"):
        np.testing.assert_allclose(getattr(output, name), getattr(layer, name), err_msg=name)
    np.testing.assert_allclose(output.affine.affine_matrix, layer.affine.affine_matrix)
    assert output.units == layer.units
    assert output.axis_labels == layer.axis_labels


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_part_lies_where_it_was_cut_out(viewer: ViewerModel) -> None:
    image = noisy((4, 20, 30))
    layer = viewer.add_image(image, **EVERYWHERE)
    held = Region.from_selection("ZYX", image.shape, {"Z": 2, "Y": slice(4, 9)})
    output = add(viewer, layer, image[2:3, 4:9], "ZYX", "ZYX", held)
    np.testing.assert_allclose(output.data_to_world((0, 1, 7)), layer.data_to_world((2, 5, 7)))


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_new_channel_axis_comes_first(viewer: ViewerModel) -> None:
    image = noisy((4, 20, 30))
    layer = viewer.add_image(image, **EVERYWHERE)
    held = Region.from_selection("ZCYX", (4, 2, 20, 30), {"Y": slice(4, 9)})
    output = add(viewer, layer, np.zeros((2, 4, 5, 30), np.float32), "ZYX", "CZYX", held)
    expected = (1, *layer.data_to_world((3, 5, 7)))
    np.testing.assert_allclose(output.data_to_world((1, 3, 1, 7)), expected)
    assert output.axis_labels == ("c", "z", "y", "x")


def test_looks_like_its_input(viewer: ViewerModel) -> None:
    layer = viewer.add_image(
        noisy((20, 30)), colormap="magma", gamma=0.7, contrast_limits=(60, 140), name="cells"
    )
    layer.contrast_limits_range = (0, 4095)
    held = Region.from_selection("YX", (20, 30))
    output = add(viewer, layer, np.full((20, 30), np.nan, np.float32), "YX", "YX", held)
    assert output.name == "cells_denoised"
    assert output.colormap.name == "magma"
    assert output.gamma == 0.7
    assert output.contrast_limits == [60, 140]
    assert output.contrast_limits_range == [0, 4095]


def test_is_additive_only_where_images_are_mixed(viewer: ViewerModel) -> None:
    green = viewer.add_image(noisy((20, 30)), blending="additive")
    assert appearance(viewer, green, False)["blending"] == "translucent_no_depth"
    red = viewer.add_image(noisy((20, 30)), blending="additive")
    assert appearance(viewer, green, False)["blending"] == "additive"
    red.visible = False
    assert appearance(viewer, green, False)["blending"] == "translucent_no_depth"


def test_comes_right_above_its_input_and_selects_nothing(viewer: ViewerModel) -> None:
    first = viewer.add_image(noisy((20, 30)), name="first")
    second = viewer.add_image(noisy((20, 30)), name="second")
    viewer.layers.selection = {first, second}
    changes: list[Any] = []
    viewer.layers.selection.events.changed.connect(changes.append)
    held = Region.from_selection("YX", (20, 30))
    output = add(viewer, first, noisy((20, 30)), "YX", "YX", held)
    assert list(viewer.layers) == [first, output, second]
    assert viewer.layers.selection == {first, second}
    assert changes == []


def test_only_previews_are_found_again(viewer: ViewerModel) -> None:
    image = noisy((4, 20, 30))
    layer = viewer.add_image(image, name="cells")
    output = viewer.add_image(image, name="cells_denoised")
    assert find_preview(viewer, layer) is None
    output.metadata[INPUT_KEY] = layer.unique_id
    assert find_preview(viewer, layer) is None
    output.metadata[PREVIEW_KEY] = False
    assert find_preview(viewer, layer) is None
    output.metadata[PREVIEW_KEY] = True
    assert find_preview(viewer, layer) is output
    output.name = "keep this"
    assert find_preview(viewer, layer) is None


def test_a_new_output_is_above_what_was_made_before(viewer: ViewerModel) -> None:
    layer, other = viewer.add_image(noisy((20, 30))), viewer.add_image(noisy((20, 30)))
    held = Region.from_selection("YX", (20, 30))
    first = add(viewer, layer, noisy((20, 30)), "YX", "YX", held)
    first.metadata[INPUT_KEY] = layer.unique_id
    noise = add(viewer, first, noisy((20, 30)), "YX", "YX", held)
    noise.metadata[OUTPUT_KEY] = first.unique_id
    second = add(viewer, layer, noisy((20, 30)), "YX", "YX", held)
    assert list(viewer.layers) == [layer, first, noise, second, other]
