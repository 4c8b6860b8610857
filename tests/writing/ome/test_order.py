from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 5, "X": 6}


@st.composite
def any_axes(draw: st.DrawFn) -> str:
    optional = draw(st.lists(st.sampled_from("STCZ"), unique=True))
    return "".join(draw(st.permutations([*optional, "Y", "X"])))


@given(axes=any_axes())
def test_blocks_land_where_the_whole_array_has_them(axes: str) -> None:
    shape = tuple(SIZES[letter] for letter in axes)
    pixels = np.arange(np.prod(shape)).reshape(shape)
    order = OmeOrder(axes, shape)
    whole = order.to_disk(pixels)
    assert whole.shape == order.disk_shape
    assert order.disk_axes in "TCZYX" or set(order.disk_axes) <= set("TCZYX")
    blocks = np.full(order.disk_shape, -1)
    for index in np.ndindex(*(SIZES[letter] if letter in "ST" else 1 for letter in axes)):
        target = tuple(
            slice(at, at + 1) if letter in "ST" else slice(0, SIZES[letter])
            for letter, at in zip(axes, index, strict=True)
        )
        blocks[order.to_disk_slices(target)] = order.to_disk(pixels[target])
    np.testing.assert_array_equal(blocks, whole)


def test_samples_follow_each_other_along_time() -> None:
    pixels = np.arange(6).reshape(2, 3, 1, 1)
    order = OmeOrder("STYX", pixels.shape)
    assert (order.disk_axes, order.disk_shape) == ("TYX", (6, 1, 1))
    assert order.to_disk(pixels).ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert order.merges_samples


def test_a_block_of_several_samples_has_no_slices() -> None:
    with pytest.raises(ValueError, match="is not one"):
        OmeOrder("SYX", (3, 4, 4)).to_disk_slices((slice(0, 2), slice(0, 4), slice(0, 4)))


METADATA = ImageMetadata(
    axes="TCZYX",
    scale=(2.0, 1.0, 0.5, 0.1, 0.1),
    units=("second", None, "micrometer", "micrometer", "micrometer"),
    translation=(10.0, 0.0, 1.0, 0.0, 5.0),
    channel_names=("DAPI", "GFP", "RFP"),
)
SHAPE = (9, 3, 8, 32, 32)


def test_the_start_of_a_region_is_added_to_the_translation() -> None:
    region = Region.from_selection(
        "TCZYX",
        SHAPE,
        {"T": slice(3, 5), "C": [0, 2], "Z": slice(2, 4), "Y": slice(8, 16), "X": slice(10, 20)},
    )
    disk = disk_metadata(METADATA, region)
    assert disk.translation == pytest.approx((16.0, 0.0, 2.0, 0.8, 6.0))
    assert disk.scale == METADATA.scale
    assert disk.units == METADATA.units
    assert disk.channel_names == ("DAPI", "RFP")


def test_every_second_time_point_is_a_step_twice_as_wide() -> None:
    region = Region.from_selection("TCZYX", SHAPE, {"T": [1, 3, 5]})
    disk = disk_metadata(METADATA, region)
    assert disk.along("T") == (4.0, "second", 12.0)
    uneven = Region.from_selection("TCZYX", SHAPE, {"T": [1, 3, 4]})
    assert disk_metadata(METADATA, uneven).along("T") == (2.0, "second", 12.0)


def test_steps_between_samples_are_no_times() -> None:
    meta = METADATA.with_axes("STYX")
    several = Region.from_selection("STYX", (2, 9, 32, 32))
    assert disk_metadata(meta, several).along("T") == (1.0, None, 0.0)
    one = Region.from_selection("STYX", (2, 9, 32, 32), {"S": 1})
    assert disk_metadata(meta, one).along("T") == (2.0, "second", 10.0)
    no_time = Region.from_selection("SYX", (2, 32, 32), {"S": 1})
    assert disk_metadata(METADATA.with_axes("SYX"), no_time).along("T") == (1.0, None, 0.0)


def test_names_of_other_channels_are_not_kept() -> None:
    region = Region.from_selection("TCZYX", (9, 2, 8, 32, 32))
    assert disk_metadata(METADATA, region).channel_names is None


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.0])
def test_steps_that_are_no_sizes_are_unknown(wrong: float) -> None:
    meta = ImageMetadata(
        "ZYX", (2.0, wrong, 0.5), ("mm", "mm", "mm"), (1.0, 2.0, float("-inf")), None
    )
    disk = disk_metadata(meta, Region.from_selection("ZYX", (4, 5, 6)))
    assert disk.along("Z") == (2.0, "mm", 1.0)
    assert disk.along("Y") == (1.0, None, 0.0)
    assert disk.along("X") == (0.5, "mm", 0.0)
