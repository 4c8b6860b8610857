from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image, Labels

from napari_tessera.widgets.layers_image import LayersImage, image_of_layers


def image_of(*layers: Any) -> LayersImage:
    return image_of_layers([layer.as_layer_data_tuple() for layer in layers])


def pixels_of(image: LayersImage) -> Any:
    return np.asarray(image.pixels[tuple(slice(0, size) for size in image.pixels.shape)])


def test_one_layer_keeps_scale_translation_units_and_labelled_axes() -> None:
    layer = Image(
        np.zeros((3, 4, 20, 30), np.uint16),
        name="cells",
        scale=(2, 0.9, 0.3, 0.3),
        translate=(0, 5, -6, 7.5),
        units=("s", "um", "um", "um"),
        axis_labels=("time", "z", "y", "x"),
    )
    image = image_of(layer)
    assert image.axes == "TZYX"
    assert image.pixels is layer.data
    assert image.metadata.scale == pytest.approx((2, 0.9, 0.3, 0.3))
    assert image.metadata.translation == pytest.approx((0, 5, -6, 7.5))
    assert image.metadata.units == ("second", "micrometer", "micrometer", "micrometer")
    assert image.lost == ()


def test_layers_become_channels_in_their_order_under_their_names() -> None:
    arrays = [np.full((20, 30), value, np.uint8) for value in (1, 2, 3)]
    layers = [
        Image(array, name=name, scale=(2, 3), translate=(4, 5), contrast_limits=(0, 10 * at + 10))
        for at, (array, name) in enumerate(zip(arrays, ("a", "b", "c"), strict=True))
    ]
    image = image_of(*layers)
    assert image.axes == "CYX"
    assert image.metadata.axes == "CYX"
    assert image.metadata.channel_names == ("a", "b", "c")
    assert image.metadata.scale == (1, 2, 3)
    assert image.metadata.translation == (0, 4, 5)
    np.testing.assert_array_equal(pixels_of(image), np.stack(arrays))
    assert [look.window for look in image.looks] == [(0, 10), (0, 20), (0, 30)]


def test_a_short_axis_of_layers_that_are_channels_is_depth() -> None:
    layers = [Image(np.zeros((3, 20, 30)), name=name) for name in "ab"]
    assert image_of(layers[0]).axes == "CYX"
    assert image_of(*layers).axes == "CZYX"


def test_a_short_axis_beside_depth_is_time() -> None:
    layers = [
        Image(np.zeros((3, 7, 20, 30)), name=name, axis_labels=("", "z", "y", "x")) for name in "ab"
    ]
    assert image_of(*layers).axes == "CTZYX"


@pytest.mark.parametrize("n", [3, 4])
def test_colours_are_channels(n: int) -> None:
    data = np.random.default_rng(0).integers(0, 255, (20, 30, n)).astype(np.uint8)
    image = image_of(Image(data, rgb=True, scale=(2, 3)))
    assert image.axes == "YXC"
    assert image.metadata.channel_names == ("Red", "Green", "Blue", "Alpha")[:n]
    assert image.metadata.scale == (2, 3, 1)
    assert [look.window for look in image.looks] == [(0, 255)] * n
    assert [look.shown for look in image.looks] == [True, True, True, False][:n]
    np.testing.assert_array_equal(pixels_of(image), data)


def test_of_a_multiscale_layer_the_full_size_is_taken() -> None:
    levels = [np.arange(40 * 60).reshape(40, 60), np.zeros((20, 30), int)]
    image = image_of(Image(levels, multiscale=True, scale=(2, 2)))
    assert image.pixels is levels[0]
    assert image.metadata.scale == (2, 2)


def test_nothing_is_computed_or_read() -> None:
    reads = []

    def noted(block: Any) -> Any:
        reads.append(block.shape)
        return block

    data = da.zeros((4000, 4000), chunks=1000).map_blocks(noted, meta=np.zeros((0, 0), np.float32))
    layers = [Image(data, name=name, contrast_limits=(0, 1)) for name in "ab"]
    assert reads
    reads.clear()
    assert image_of(*layers).pixels.shape == (2, 4000, 4000)
    assert image_of(layers[0]).pixels.shape == (4000, 4000)
    assert not reads


def test_what_layers_are_read_from_is_known(tmp_path: Any) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(20, 30), chunks=(20, 30), dtype="u1")
    layers = [
        Image(da.from_zarr(array), name="a", contrast_limits=(0, 1)),
        Image([array, array[::2, ::2]], name="b", contrast_limits=(0, 1), multiscale=True),
    ]
    for image in (image_of(layers[0]), image_of(layers[1]), image_of(*layers)):
        assert image.origins == (tmp_path / "a.zarr",)


def test_a_transform_that_only_scales_and_moves_is_kept() -> None:
    affine = np.array([[2.0, 0, 10], [0, 3, 20], [0, 0, 1]])
    image = image_of(Image(np.zeros((20, 30)), scale=(5, 7), translate=(1, 1), affine=affine))
    assert image.metadata.scale == pytest.approx((10, 21))
    assert image.metadata.translation == pytest.approx((12, 23))
    assert image.lost == ()


@pytest.mark.parametrize(
    "placed", [{"rotate": 30}, {"shear": [0.2]}, {"scale": (-2, 3)}], ids=lambda given: str(given)
)
def test_a_rotated_sheared_or_mirrored_layer_is_told(placed: dict[str, Any]) -> None:
    layer = Image(np.zeros((20, 30)), name="tilted", **{"scale": (2, 3), **placed})
    image = image_of(layer)
    assert image.metadata.scale == pytest.approx((2, 3))
    assert len(image.lost) == 1
    assert "'tilted' is rotated, sheared or mirrored" in image.lost[0]


@given(
    scale=st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3),
    translate=st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3),
)
def test_any_scale_and_translation_is_kept(scale: list[float], translate: list[float]) -> None:
    image = image_of(Image(np.zeros((5, 6, 7)), scale=scale, translate=translate))
    assert image.metadata.scale == pytest.approx(scale)
    assert image.metadata.translation == pytest.approx(translate)
    assert image.lost == ()


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"data": np.zeros((21, 30), np.uint8)}, r"shapes differ \(20×30, 21×30\)"),
        ({"data": np.zeros((20, 30), np.uint16)}, r"data types differ \(uint8, uint16\)"),
        ({"scale": (1, 2)}, r"scales differ \(1×1, 1×2\)"),
        ({"translate": (0, 5)}, r"positions differ \(0×0, 0×5\)"),
        ({"units": ("um", "um")}, r"units differ \(none×none, micrometer×micrometer\)"),
        ({"axis_labels": ("x", "y")}, r"axes differ \(YX, XY\)"),
    ],
)
def test_layers_that_do_not_lie_on_one_another_are_refused(
    other: dict[str, Any], what: str
) -> None:
    first = Image(np.zeros((20, 30), np.uint8), name="a")
    second = Image(**{"data": np.zeros((20, 30), np.uint8), "name": "b", **other})
    with pytest.raises(ValueError, match=f"layers 'a' and 'b' cannot be .*{what}") as caught:
        image_of(first, second)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Image(np.zeros((20, 30, 3), np.uint8), rgb=True, name="b"), "'b' is RGB: save it by"),
        (
            Image(np.zeros((2, 20, 30)), name="b", axis_labels=("c", "y", "x")),
            "'b' has an axis of channels already",
        ),
        (Image(np.zeros((2, 2, 2, 2, 20, 30)), name="b"), "'b' has 6 axes and no room"),
        (Labels(np.zeros((20, 30), int), name="b"), "'b' holds labels: only image layers"),
    ],
)
def test_what_cannot_be_a_channel_is_refused(layer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_of(layer, Image(np.zeros((20, 30)), name="a"))


def test_no_layers_are_no_image() -> None:
    with pytest.raises(ValueError, match="no image layer is selected"):
        image_of_layers([])
