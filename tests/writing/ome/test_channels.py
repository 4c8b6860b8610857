from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image
from yaozarrs import v04, v05, validate_ome_object

from napari_tessera import open_stack, predict_to_disk
from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing import write_ome_zarr
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


RGB = ["FF0000", "00FF00", "0000FF"]


def colours_of(path: Path) -> list[str]:
    group = zarr.open_group(path, mode="r")
    attributes: Any = group.attrs.asdict()
    return [channel["color"] for channel in attributes["ome"]["omero"]["channels"]]


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("kind", ["tif", "layer"])
def test_colours_of_rgb_stay_what_they_are(tmp_path: Path, kind: str, alpha: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3 + alpha)).astype(np.uint8)
    source: Any = tmp_path / "rgb.tif"
    if kind == "tif":
        extra = {"extrasamples": ["unassalpha"]} if alpha else {}
        tifffile.imwrite(source, pixels, photometric="rgb", **extra)
    else:
        source = Image(pixels, rgb=True)
    with warnings.catch_warnings():
        # alpha is left out, and that is told
        warnings.simplefilter("ignore", UserWarning)
        stack = open_stack(source)
    path = predict_to_disk(stack, lambda x: x / 2, tmp_path / "out.ome.zarr")
    assert colours_of(path) == RGB


def test_colours_of_an_ome_zarr_are_kept(tmp_path: Path) -> None:
    colours = ("FF8000", "0080FF", "FFFFFF")
    metadata = ImageMetadata("CYX", channel_names=("a", "b", "c"), channel_colors=colours)
    pixels = np.random.default_rng(0).random((3, 40, 50)).astype(np.float32)
    source = tmp_path / "in.ome.zarr"
    write_ome_zarr(source, pixels, axes="CYX", metadata=metadata)
    assert tuple(colours_of(source)) == colours
    for region, copied, expected in (
        (None, False, colours),
        ({"C": [0, 2]}, False, ("FF8000", "FFFFFF")),
        ({"C": [1]}, True, colours),
    ):
        path = predict_to_disk(
            source,
            lambda x: x / 2,
            tmp_path / "out.ome.zarr",
            region=region,
            copy_channels=copied,
            overwrite=True,
        )
        assert tuple(colours_of(Path(path))) == expected


@pytest.mark.parametrize("colors", [("FF0000",), None])
def test_colours_that_do_not_fit_are_chosen(colors: tuple[str, ...] | None) -> None:
    pixels = np.random.default_rng(0).random((2, 9, 9))
    omero = channel_attributes(pixels, ImageMetadata("CYX", channel_colors=colors))
    assert omero is not None
    assert [channel["color"] for channel in omero["channels"]] == ["00FF00", "FF00FF"]
