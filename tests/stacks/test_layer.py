from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_tessera.stacks import LayerStack, open_stack

from .conformance import check_image_stack


def layer(data: Any, **attributes: Any) -> SimpleNamespace:
    """What napari's image layer has, as far as a stack looks at it."""
    first = data[0] if attributes.get("multiscale") else data
    ndim = first.ndim - attributes.get("rgb", False)
    defaults: dict[str, Any] = {
        "name": "cells",
        "rgb": False,
        "multiscale": False,
        "scale": np.ones(ndim),
        "translate": np.zeros(ndim),
        "units": ("pixel",) * ndim,
        "axis_labels": tuple(str(n) for n in range(-ndim, 0)),
    }
    return SimpleNamespace(data=data, **(defaults | attributes))


def test_labels_scale_and_units() -> None:
    data = np.random.default_rng(0).random((5, 6, 20, 22))
    source = layer(
        data,
        axis_labels=("t", "z", "y", "x"),
        scale=np.array([2.0, 1.5, 0.5, 0.25]),
        translate=np.array([0.0, 3.0, 4.0, 5.0]),
        units=("second", "micrometer", "micrometer", "micrometer"),
    )
    with open_stack(source) as stack:
        check_image_stack(stack, data, "TZYX")
    assert stack.source == "layer:cells"
    assert stack.metadata.scale == (2.0, 1.5, 0.5, 0.25)
    assert stack.metadata.units == ("second", "micrometer", "micrometer", "micrometer")
    assert stack.metadata.translation == (0.0, 3.0, 4.0, 5.0)


def test_without_labels_the_shape_decides() -> None:
    with open_stack(layer(np.zeros((30, 20, 22)))) as stack:
        assert stack.original_axes == "ZYX"
        assert stack.metadata.units == (None, None, None)
    with open_stack(layer(np.zeros((30, 20, 22))), "TYX") as stack:
        assert stack.original_axes == "TYX"
    with pytest.raises(ValueError, match="TZYX has 4 letters, the image 3 axes 30×20×22"):
        open_stack(layer(np.zeros((30, 20, 22))), "TZYX")


@pytest.mark.parametrize("colours", [3, 4])
def test_colours_are_channels_and_alpha_is_none(colours: int) -> None:
    data = np.random.default_rng(0).integers(0, 255, (5, 20, 22, colours), dtype=np.uint8)
    for axes in (None, "ZYX", "ZYXC"):
        with open_stack(layer(data, rgb=True, scale=np.array([3.0, 0.5, 0.5])), axes) as stack:
            check_image_stack(stack, data[..., :3], "ZYXC")
            assert stack.metadata.scale == (3.0, 0.5, 0.5, 1.0)
    with open_stack(layer(data, rgb=True), channels=[2]) as stack:
        check_image_stack(stack, data[..., 2:3], "ZYXC")


def test_levels_of_a_multiscale_layer() -> None:
    data = np.random.default_rng(0).random((40, 44))
    source = layer([data, data[::2, ::2]], multiscale=True, scale=np.array([0.5, 0.5]))
    with open_stack(source) as stack:
        check_image_stack(stack, data, "YX")
    with open_stack(source, level=1) as stack:
        check_image_stack(stack, data[::2, ::2], "YX")
        assert stack.metadata.scale == (1.0, 1.0)
    with pytest.raises(ValueError, match="layer:cells: level 2 is outside 0…1"):
        open_stack(source, level=2)


def test_dask_layers_are_read_in_part() -> None:
    data = np.random.default_rng(0).random((9, 20, 22))
    with open_stack(layer(da.from_array(data, chunks=(1, 10, 10)))) as stack:
        check_image_stack(stack, data, "ZYX")
        assert stack.chunks == (1, 10, 10)


def test_other_data_of_the_layer_later_changes_nothing() -> None:
    source = layer(np.zeros((20, 22)))
    stack = LayerStack(source)
    source.data = np.ones((4, 4))
    assert stack.data_shape == (1, 1, 20, 22)
    assert not stack.extract_patch(0, None, (0, 0), (20, 22)).any()


def test_layers_of_napari_itself() -> None:
    layers = pytest.importorskip("napari.layers")
    data = np.random.default_rng(0).integers(0, 255, (5, 20, 22), dtype=np.uint8)
    image = layers.Image(
        data, name="a", axis_labels=("t", "y", "x"), units=("s", "um", "um"), scale=(2, 0.5, 0.5)
    )
    with open_stack(image) as stack:
        check_image_stack(stack, data, "TYX")
        assert stack.metadata.units == ("second", "micrometer", "micrometer")
    colours = np.random.default_rng(0).integers(0, 255, (20, 22, 4), dtype=np.uint8)
    with open_stack(layers.Image(colours, rgb=True)) as stack:
        check_image_stack(stack, colours[..., :3], "YXC")
    pyramid = [np.zeros((64, 64)), np.zeros((32, 32))]
    with open_stack(layers.Image(pyramid, multiscale=True), level=1) as stack:
        assert stack.data_shape == (1, 1, 32, 32)
        assert stack.metadata.scale == (2.0, 2.0)
    with pytest.raises(ValueError, match=r"\(Labels\) is no image that can be opened"):
        open_stack(layers.Labels(np.zeros((4, 4), int)))
