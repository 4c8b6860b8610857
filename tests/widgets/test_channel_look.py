from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_tessera.metadata import ImageMetadata
from napari_tessera.widgets.channel_look import (
    ChannelLook,
    colour_looks,
    layer_look,
    named_channels,
    set_looks,
)


def look_of(**given: Any) -> ChannelLook:
    return layer_look(Image(np.zeros((4, 4)), name="a", **given).as_layer_data_tuple()[1])


def test_a_layer_says_its_name_contrast_and_visibility() -> None:
    look = look_of(contrast_limits=(3, 70.5), visible=False)
    assert look == ChannelLook("a", "FFFFFF", (3, 70.5), shown=False)


@pytest.mark.parametrize(
    ("colormap", "colour"),
    [("gray", "FFFFFF"), ("green", "00FF00"), ("magenta", "FF00FF"), ("viridis", None)],
)
def test_a_colormap_from_black_is_its_brightest_colour(colormap: str, colour: str | None) -> None:
    assert look_of(colormap=colormap).colour == colour


def test_an_inverted_colormap_is_no_colour() -> None:
    assert look_of(colormap="gray_r").colour is None


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_colours_reach_to_the_end_of_their_type(dtype: Any, top: float) -> None:
    looks = colour_looks(np.zeros((4, 4, 3), dtype))
    assert looks == (
        ChannelLook("Red", "FF0000", (0, top)),
        ChannelLook("Green", "00FF00", (0, top)),
        ChannelLook("Blue", "0000FF", (0, top)),
    )


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_looks_are_entered_beside_what_is_there(tmp_path: Any, version: str) -> None:
    window = {"min": 10, "start": 12, "end": 20, "max": 30}
    omero = {
        "channels": [
            {"label": name, "color": "00FF00", "active": True, "window": window} for name in "ab"
        ]
    }
    ome = {"multiscales": ["kept"], "omero": omero}
    zarr.create_group(
        tmp_path / "a.zarr",
        zarr_format=2 if version == "0.4" else 3,
        attributes={"other": 1, **(ome if version == "0.4" else {"ome": ome})},
    )
    set_looks(
        tmp_path / "a.zarr",
        [ChannelLook("x", "FF0000", (5, 15), shown=False), ChannelLook()],
    )
    attributes = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs.asdict()
    assert attributes["other"] == 1
    found = attributes if version == "0.4" else attributes["ome"]
    assert found["multiscales"] == ["kept"]
    assert found["omero"]["channels"] == [
        {
            "label": "x",
            "color": "FF0000",
            "active": False,
            "window": {"min": 5, "start": 5, "end": 15, "max": 30},
        },
        {"label": "b", "color": "00FF00", "active": True, "window": window},
    ]


def omero_of(path: Path, n: int, looks: list[ChannelLook], name: str | None = None) -> Any:
    """Channels of an image of so many, with a name or none, after looks were entered."""
    window = {"min": 10, "start": 12, "end": 20, "max": 30}
    channels = [
        {"label": f"channel {at}", "color": "00FF00", "active": True, "window": window}
        for at in range(n)
    ]
    multiscales = [] if name is None else [{"name": name}]
    ome = {"multiscales": multiscales, "omero": {"channels": channels}}
    zarr.create_group(path, attributes={"ome": ome})
    set_looks(path, looks)
    found: Any = zarr.open_group(path, mode="r").attrs["ome"]
    return found["omero"]["channels"]


def test_the_look_of_a_layer_is_that_of_all_its_channels_and_names_a_single_one(
    tmp_path: Path,
) -> None:
    look = [ChannelLook("x\x00y", "FF0000", (5, 15))]
    (one,) = omero_of(tmp_path / "one.zarr", 1, look)
    assert (one["label"], one["color"], one["window"]["end"]) == ("x\ufffdy", "FF0000", 15)
    several = omero_of(tmp_path / "several.zarr", 3, look)
    assert [each["label"] for each in several] == ["channel 0", "channel 1", "channel 2"]
    assert {(each["color"], each["window"]["end"]) for each in several} == {("FF0000", 15)}


@pytest.mark.parametrize(
    ("name", "label"), [("x", "channel 0"), ("out", "x"), (None, "x"), (3, "x")]
)
def test_what_the_image_is_called_already_is_not_said_twice(
    tmp_path: Path, name: Any, label: str
) -> None:
    (channel,) = omero_of(tmp_path / "a.zarr", 1, [ChannelLook("x", "FF0000")], name)
    assert (channel["label"], channel["color"]) == (label, "FF0000")


def test_looks_of_other_channels_are_not_entered(tmp_path: Path) -> None:
    channels = omero_of(tmp_path / "a.zarr", 3, [ChannelLook("x"), ChannelLook("y")])
    assert [each["label"] for each in channels] == ["channel 0", "channel 1", "channel 2"]


def test_channels_are_named_and_an_image_without_gets_an_axis_for_the_name() -> None:
    pixels = np.arange(12).reshape(3, 4)
    metadata = ImageMetadata("YX", (2, 3), ("micrometer", "micrometer"), (4, 5))
    named, axes, known = named_channels(pixels, "YX", metadata, [ChannelLook("cells")])
    assert (axes, known.axes, known.scale) == ("CYX", "CYX", (1, 2, 3))
    assert (known.translation, known.channel_names) == ((0, 4, 5), ("cells",))
    assert known.channel_colors is None
    assert named.shape == (1, 3, 4)
    np.testing.assert_array_equal(named[slice(0, 1), slice(1, 3), slice(0, 4)], pixels[None, 1:])

    colours = np.zeros((3, 4, 3), np.uint8)
    same, axes, known = named_channels(colours, "YXC", metadata, colour_looks(colours))
    assert same is colours
    assert axes == "YXC"
    assert known.channel_names == ("Red", "Green", "Blue")
    assert known.channel_colors == ("FF0000", "00FF00", "0000FF")


def test_channels_that_have_no_names_of_their_own_keep_those_they_have() -> None:
    pixels = np.zeros((2, 3, 4))
    metadata = ImageMetadata("CYX", channel_names=("DAPI", "GFP"))
    for looks in ([ChannelLook("layer")], []):
        same, axes, known = named_channels(pixels, "CYX", metadata, looks)
        assert (same is pixels, axes, known) == (True, "CYX", metadata)


def test_without_omero_nothing_is_entered(tmp_path: Any) -> None:
    zarr.create_group(tmp_path / "a.zarr", attributes={"ome": {"multiscales": []}})
    set_looks(tmp_path / "a.zarr", [ChannelLook("x")])
    attributes = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs.asdict()
    assert attributes == {"ome": {"multiscales": []}}
