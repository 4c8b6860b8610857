from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from yaozarrs import v05, validate_ome_object
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.ome.metadata import (
    channel_attributes,
    check_chunks,
    create_pixel_array,
    default_chunks,
    image_attributes,
    open_pixel_array,
)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CYX", "TCZYX", "TZYX"])
def test_metadata_is_valid(axes: str) -> None:
    meta = ImageMetadata(
        axes,
        scale=tuple(0.5 for _ in axes),
        units=tuple("micron" if letter in "ZYX" else "s" for letter in axes),
        translation=tuple(3.0 for _ in axes),
    )
    image = validate_ome_object(image_attributes(meta, "cells"), v05.Image)
    multiscale = image.multiscales[0]
    assert multiscale.name == "cells"
    assert [axis.name for axis in multiscale.axes] == [letter.lower() for letter in axes]
    units = {axis.name: getattr(axis, "unit", None) for axis in multiscale.axes}
    assert units["y"] == "micrometer"
    assert units.get("t", "second") == "second"
    dataset = multiscale.datasets[0]
    assert dataset.path == "0"
    assert dataset.scale_transform.scale == [0.5] * len(axes)
    assert dataset.translation_transform is not None
    assert dataset.translation_transform.translation == [3.0] * len(axes)


def test_what_is_unknown_is_left_out() -> None:
    attributes = image_attributes(ImageMetadata("YX", units=("pixel", None)), "cells")
    multiscale = attributes["multiscales"][0]
    assert all("unit" not in axis for axis in multiscale["axes"])
    assert multiscale["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 1.0]}
    ]


def test_arrays_are_zarr_3_with_bit_shuffle_and_keep_empty_chunks() -> None:
    group = zarr.create_group(MemoryStore())
    create_pixel_array(
        group, "0", axes="TYX", shape=(2, 40, 50), chunks=(1, 16, 16), dtype="float32"
    )
    array = open_pixel_array(group, "0")
    assert array.metadata.zarr_format == 3
    assert array.metadata.dimension_names == ("t", "y", "x")
    assert np.isnan(array.fill_value)
    (codec,) = array.compressors
    assert isinstance(codec, BloscCodec)
    assert (codec.cname.value, codec.shuffle.value) == ("zstd", "bitshuffle")
    assert array.nchunks_initialized == 0
    array[:] = np.nan
    assert array.nchunks_initialized == array.nchunks
    assert not zarr.config.get("array.write_empty_chunks")


@pytest.mark.parametrize(
    ("axes", "shape", "steps", "chunks"),
    [
        ("YX", (5000, 5000), {"Y": 200, "X": 200}, (256, 256)),
        ("YX", (5000, 5000), {"Y": 456, "X": 456}, (512, 512)),
        ("YX", (180, 5000), {"Y": 456, "X": 456}, (180, 512)),
        ("TCZYX", (9, 3, 40, 600, 600), {"Y": 200, "X": 200}, (1, 1, 1, 256, 256)),
        ("TCZYX", (9, 3, 40, 600, 600), {"Z": 32, "Y": 456, "X": 456}, (1, 1, 16, 256, 256)),
        ("ZYX", (5, 600, 600), {"Z": 5, "Y": 200, "X": 200}, (5, 256, 256)),
    ],
)
def test_chunks_go_by_what_is_read(
    axes: str, shape: tuple[int, ...], steps: dict[str, int], chunks: tuple[int, ...]
) -> None:
    assert default_chunks(axes, shape, steps) == chunks


def test_chunks_that_are_asked_for_fill_the_last_axes() -> None:
    assert check_chunks((64, 64), "TYX", (5, 100, 50), {}) == (1, 64, 50)
    for wrong in ((0, 4), (1, 1, 1, 1)):
        with pytest.raises(ValueError, match="do not fit the axes TYX"):
            check_chunks(wrong, "TYX", (5, 100, 50), {})


@settings(max_examples=15)
@given(
    shape=st.tuples(*[st.integers(1, size) for size in (3, 2, 3, 600, 600)]),
    seed=st.integers(0, 99),
)
def test_display_windows_are_those_of_finished_pixels(shape: Any, seed: int) -> None:
    group = zarr.create_group(MemoryStore())
    array = create_pixel_array(
        group, "0", axes="TCZYX", shape=shape, chunks=(1, 1, 3, 600, 600), dtype="float32"
    )
    pixels = np.random.default_rng(seed).uniform(0, 100, shape).astype(np.float32)
    pixels += 1000 * np.arange(shape[1], dtype=np.float32)[:, None, None, None]
    pixels[..., 0] = np.nan
    array[:] = pixels
    meta = ImageMetadata("TCZYX", channel_names=("one", "two")[: shape[1]])
    omero = channel_attributes(array, meta)
    assert omero == channel_attributes(array, meta)
    validate_ome_object({**image_attributes(meta, "x"), "omero": omero}, v05.Image)
    assert [channel["label"] for channel in omero["channels"]] == list(meta.channel_names or ())
    for channel, entry in enumerate(omero["channels"]):
        window = entry["window"]
        own = pixels[:, channel]
        assert window["min"] <= window["start"] < window["end"] <= window["max"]
        if np.isfinite(own).any():
            assert np.nanmin(own) <= window["min"]
            assert window["max"] <= np.nanmax(own) + 1
