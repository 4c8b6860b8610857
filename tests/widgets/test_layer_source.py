"""Layers as images."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_tessera.widgets.layer_source import layer_letters, open_layer


def test_rgb_gives_its_colours_and_has_no_dimension_for_them() -> None:
    layer = Image(np.zeros((5, 30, 40, 4), np.uint8), rgb=True, name="slide")
    stack = open_layer(layer, "TYXC")
    assert stack.original_axes == "TYXC"
    assert stack.original_data_shape == (5, 30, 40, 3)
    assert layer_letters(layer, stack.original_axes) == "TYX"
    assert open_layer(layer, "TYX").original_axes == "TYXC"


def test_multiscale_gives_level_0() -> None:
    levels = [np.zeros((5, 64, 64)), np.zeros((5, 32, 32))]
    layer = Image(levels, multiscale=True)
    stack = open_layer(layer)
    assert stack.original_data_shape == (5, 64, 64)
    assert layer_letters(layer, stack.original_axes) == "ZYX"


def test_axes_are_guessed_from_labels_and_given_ones_win() -> None:
    layer = Image(np.zeros((5, 64, 64)), axis_labels=("t", "y", "x"))
    assert open_layer(layer).original_axes == "TYX"
    assert open_layer(layer, "ZYX").original_axes == "ZYX"


def test_later_data_is_not_seen() -> None:
    layer = Image(np.zeros((64, 64), np.float32))
    stack = open_layer(layer)
    layer.data = np.ones((32, 32), np.float32)
    assert stack.original_data_shape == (64, 64)
    assert stack.extract_patch(0, None, (0, 0), (4, 4)).max() == 0


def test_wrong_axes_are_one_line() -> None:
    with pytest.raises(ValueError, match="ZYX has 3 letters, the image 2 axes") as error:
        open_layer(Image(np.zeros((64, 64))), "ZYX")
    assert "\n" not in str(error.value)
