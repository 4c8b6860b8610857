from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_tessera.widgets.channel_look import ChannelLook, colour_looks, layer_look, set_looks


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
            "label": "a",
            "color": "FF0000",
            "active": False,
            "window": {"min": 5, "start": 5, "end": 15, "max": 30},
        },
        {"label": "b", "color": "00FF00", "active": True, "window": window},
    ]


def test_without_omero_nothing_is_entered(tmp_path: Any) -> None:
    zarr.create_group(tmp_path / "a.zarr", attributes={"ome": {"multiscales": []}})
    set_looks(tmp_path / "a.zarr", [ChannelLook("x")])
    attributes = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs.asdict()
    assert attributes == {"ome": {"multiscales": []}}
