from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

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


def test_another_letter_than_the_labels_say_has_no_step() -> None:
    movie = {
        "scale": np.array([2.0, 0.5, 0.25]),
        "translate": np.array([6.0, 4.0, 5.0]),
        "units": ("second", "micrometer", "micrometer"),
    }
    data = np.zeros((30, 20, 22))
    labelled = layer(data, axis_labels=("time", "y", "x"), **movie)
    # seconds say as much as a label
    for source in (labelled, layer(data, **movie)):
        with open_stack(source, "ZYX") as stack:
            assert stack.metadata.scale == (1.0, 0.5, 0.25)
            assert stack.metadata.units == (None, "micrometer", "micrometer")
            assert stack.metadata.translation == (0.0, 4.0, 5.0)
    with open_stack(layer(data, **(movie | {"units": ("um", "um", "um")})), "TYX") as stack:
        assert stack.metadata.along("T") == (1.0, None, 0.0)
    # where neither says anything, the layer's steps are those of the axes that were named
    with open_stack(layer(data, **(movie | {"units": ("pixel",) * 3})), "TYX") as stack:
        assert stack.metadata.along("T") == (2.0, None, 6.0)


def test_levels_that_do_not_halve_every_axis() -> None:
    data = np.random.default_rng(0).random((9, 40, 45))
    levels = [data, data[:, ::2, ::2], data[::3, ::8, ::4]]
    source = layer(levels, multiscale=True, scale=np.array([2.0, 0.5, 0.25]))
    for level, reference in enumerate(levels):
        with open_stack(source, level=level) as stack:
            check_image_stack(stack, reference, "ZYX")
    # 40 rows and 45 columns of the full size are 5 and 12 of the last level
    assert stack.metadata.scale == (6.0, 4.0, 0.25 * 45 / 12)


@pytest.mark.parametrize("axes", [None, "X", "YX"])
def test_a_line_is_no_image(axes: str | None) -> None:
    with pytest.raises(ValueError, match=r"1 axes|Y missing") as error:
        open_stack(layer(np.zeros(20)), axes)
    assert "\n" not in str(error.value)


def test_pixels_of_any_real_type() -> None:
    for dtype in ("bool", "int32", "uint8", "float16"):
        data = np.random.default_rng(0).integers(0, 2, (20, 22)).astype(dtype)
        with open_stack(layer(data)) as stack:
            check_image_stack(stack, data, "YX")
    with pytest.raises(ValueError, match="layer:cells: dtype complex128 cannot be denoised"):
        open_stack(layer(np.zeros((20, 22), complex)))


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
    with open_stack(
        layers.Image(data, axis_labels=("t", "y", "x"), units=("s", "um", "um")), "ZYX"
    ) as stack:
        assert stack.metadata.units == (None, "micrometer", "micrometer")
    with pytest.raises(ValueError, match=r"\(Labels\) is no image that can be opened"):
        open_stack(layers.Labels(np.zeros((4, 4), int)))


def test_lazy_data_in_layers_of_napari_itself() -> None:
    layers = pytest.importorskip("napari.layers")
    data = np.arange(9 * 64 * 64, dtype=np.uint16).reshape(9, 64, 64)
    stored = zarr.create_array(MemoryStore(), shape=data.shape, chunks=(1, 32, 32), dtype="u2")
    stored[...] = data
    lazy = da.from_array(data, chunks=(1, 32, 32))
    for source in (stored, lazy):
        with open_stack(layers.Image(source, contrast_limits=(0, 9))) as stack:
            check_image_stack(stack, data, "ZYX")
            assert stack.chunks == (1, 32, 32)
    pyramid = layers.Image([lazy, lazy[:, ::2, ::2]], multiscale=True, contrast_limits=(0, 9))
    with open_stack(pyramid, level=1) as stack:
        check_image_stack(stack, data[:, ::2, ::2], "ZYX")
    with pytest.raises(ValueError, match="level 2 is outside 0…1"):
        open_stack(pyramid, level=2)
