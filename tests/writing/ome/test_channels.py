from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yaozarrs import v04, v05, validate_ome_object

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.ome.channels import channel_attributes
from napari_tessera.writing.ome.metadata import image_attributes


@settings(max_examples=15)
@given(
    shape=st.tuples(*[st.integers(1, size) for size in (3, 2, 3, 600, 600)]),
    seed=st.integers(0, 99),
)
def test_display_windows_are_those_of_the_pixels(shape: Any, seed: int) -> None:
    pixels = np.random.default_rng(seed).uniform(0, 100, shape).astype(np.float32)
    pixels += 1000 * np.arange(shape[1], dtype=np.float32)[:, None, None, None]
    if shape[-1] > 1:
        pixels[..., 0] = np.nan
    meta = ImageMetadata("TCZYX", channel_names=("one", "two")[: shape[1]])
    omero = channel_attributes(pixels, meta)
    assert omero == channel_attributes(pixels, meta)
    assert omero is not None
    validate_ome_object(image_attributes(meta, "x", omero=omero)["ome"], v05.Image)
    validate_ome_object(image_attributes(meta, "x", omero=omero, version="0.4"), v04.Image)
    assert [channel["label"] for channel in omero["channels"]] == list(meta.channel_names or ())
    for channel, entry in enumerate(omero["channels"]):
        window = entry["window"]
        own = pixels[:, channel]
        assert window["min"] <= window["start"] < window["end"] <= window["max"]
        assert np.nanmin(own) <= window["min"]
        assert window["max"] <= np.nanmax(own) + 1


@pytest.mark.parametrize(
    ("axes", "names", "labels"),
    [
        ("YX", None, ["channel 0"]),
        ("ZYX", None, ["channel 0"]),
        ("CYX", None, ["channel 0", "channel 1", "channel 2"]),
        ("CYX", ("a", "b"), ["channel 0", "channel 1", "channel 2"]),
        ("CYX", ("a", "b", "c"), ["a", "b", "c"]),
    ],
)
def test_channels_without_names_are_numbered(
    axes: str, names: tuple[str, ...] | None, labels: list[str]
) -> None:
    pixels = np.ones((3, 9, 9)[3 - len(axes) :], np.uint8)
    omero = channel_attributes(pixels, ImageMetadata(axes, channel_names=names))
    assert omero is not None
    assert [channel["label"] for channel in omero["channels"]] == labels
    assert len({channel["color"] for channel in omero["channels"]}) == len(labels)


def test_of_what_is_not_predicted_there_is_no_window() -> None:
    pixels = np.full((2, 30, 30), np.nan, np.float32)
    assert channel_attributes(pixels, ImageMetadata("CYX")) is None


def test_a_channel_that_is_not_predicted_has_a_name_and_the_window_of_the_others() -> None:
    pixels = np.full((3, 8, 8), np.nan, np.float32)
    pixels[0], pixels[2, 0] = 5, np.arange(8)
    metadata = ImageMetadata("CYX", channel_names=("a", "b", "c"))
    omero = channel_attributes(pixels, metadata)
    assert omero is not None
    assert [channel["label"] for channel in omero["channels"]] == ["a", "b", "c"]
    first, missing, last = (channel["window"] for channel in omero["channels"])
    assert (first["min"], first["max"]) == (5, 6)
    assert (missing["min"], missing["max"]) == (0, 7)
    assert missing["start"] == min(first["start"], last["start"])
    assert missing["end"] == max(first["end"], last["end"])
