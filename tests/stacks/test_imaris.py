"""Imaris images as one stack of all time points and channels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.stacks import StackReadError, open_stack
from napari_tessera.stacks.hdf5.stack import HDF5Stack
from napari_tessera.testing import check_closes, check_image_stack

from .conformance import check_patch_equals, patches
from .hdf5_files import damage, random_image, where_chunk_lies
from .imaris_files import put_text, write_imaris


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cells.ims"


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((3, 2, 6, 40, 50), "TCZYX"),
        ((1, 2, 6, 40, 50), "CZYX"),
        ((12, 1, 6, 40, 50), "TZYX"),
        ((3, 5, 1, 17, 33), "TCYX"),
        ((1, 1, 1, 40, 50), "YX"),
        ((1, 1, 1, 1, 50), "YX"),
    ],
)
def test_an_image_has_the_axes_of_more_than_one_entry(
    path: Path, shape: tuple[int, ...], axes: str
) -> None:
    image = random_image(*shape)
    write_imaris(path, [image])
    kept = tuple(at for at, n in enumerate(shape) if n == 1 and "TCZYX"[at] not in axes)
    with HDF5Stack(path) as stack:
        assert stack.source == str(path)
        assert stack.origins == (path,)
        assert stack.original_axes == axes
        assert stack.chunks is not None
        assert stack.chunks[-2:] == (16, 16)
        check_image_stack(stack, np.squeeze(image, kept))
    with HDF5Stack(path, axes="TCZYX") as stack:
        assert stack.chunks == (1, 1, 4, 16, 16)
        check_image_stack(stack, image)
    check_closes(partial(HDF5Stack, path))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_pixels_of_every_type(path: Path, dtype: str, compression: str | None) -> None:
    image = random_image(2, 2, 5, 19, 21, dtype=dtype)
    write_imaris(path, [image], compression=compression)
    with HDF5Stack(path) as stack:
        assert stack.data_dtype == np.dtype(dtype)
        check_image_stack(stack, image)


@given(data=st.data())
@settings(max_examples=60)
def test_any_patch_is_cut_to_the_image(data: st.DataObject, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.getbasetemp() / "any.ims"
    image = random_image(2, 3, 5, 18, 21)
    if not path.exists():
        write_imaris(path, [image])
    with HDF5Stack(path) as stack:
        check_patch_equals(stack, image, "TCZYX", data.draw(patches(stack.data_shape)))


def test_time_may_be_depth(path: Path) -> None:
    image = random_image(9, 1, 1, 40, 50)
    write_imaris(path, [image], seconds=2.5)
    with HDF5Stack(path, axes="ZYX") as stack:
        assert stack.data_shape == (1, 1, 9, 40, 50)
        check_image_stack(stack, image[:, 0, 0])
        assert stack.metadata.along("Z") == (1.0, None, 0.0)
    with pytest.raises(ValueError, match="CZYX has 4 letters, the image 3 axes"):
        HDF5Stack(path, axes="CZYX")


def test_channels_are_chosen(path: Path) -> None:
    image = random_image(2, 3, 4, 20, 20)
    write_imaris(path, [image], names=["DAPI", "GFP", "mCherry"])
    with HDF5Stack(path, channels=[2, 0]) as stack:
        check_image_stack(stack, image[:, [2, 0]])
        assert stack.metadata.channel_names == ("mCherry", "DAPI")


def test_levels_have_their_own_size_and_steps(path: Path) -> None:
    image = random_image(2, 2, 6, 40, 50)
    half = image[..., ::2, ::2]
    write_imaris(path, [image, half], extent=((-5, 5), (0, 20), (100, 103)), names=["a", "b"])
    with open_stack(path) as full, open_stack(path, level=1) as small:  # type: ignore[attr-defined]
        assert full.metadata.scale == (2.5, 1.0, 0.5, 0.5, 0.2)
        assert full.metadata.units == ("second", None, *["micrometer"] * 3)
        assert full.metadata.channel_names == ("a", "b")
        assert small.metadata.scale == (2.5, 1.0, 0.5, 1.0, 0.4)
        check_image_stack(small, half)
    for level in (-1, 2):
        with pytest.raises(ValueError, match=rf"cells\.ims: level {level} is outside 0…1; give"):
            HDF5Stack(path, level=level)


def test_units_other_than_micrometers(path: Path) -> None:
    write_imaris(path, [random_image(1, 1, 3, 20, 20)], unit="nm")
    with HDF5Stack(path) as stack:
        assert stack.metadata.units == ("nanometer",) * 3


def test_metadata_that_is_missing_or_makes_no_sense_is_unknown(path: Path) -> None:
    image = random_image(2, 2, 3, 20, 20)
    write_imaris(path, [image], extent=((3, 3), (4, 1), (0, 3)), names=["only one"])
    with h5py.File(path, "a") as file:
        put_text(file["DataSetInfo/TimeInfo"], TimePoint2="yesterday")
        put_text(file["DataSetInfo/Image"], ExtMax2="far")
        for name in ("ImageSizeX", "ImageSizeY", "ImageSizeZ"):
            del file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"].attrs[name]
    with HDF5Stack(path) as stack:
        assert stack.metadata.scale == (1.0,) * 5
        assert stack.metadata.units == (None,) * 5
        assert stack.metadata.channel_names is None
        # of unknown size, the image has the pixels of the padding as well
        assert stack.original_data_shape == (2, 2, 4, 32, 32)
    with h5py.File(path, "a") as file:
        first = file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"]
        put_text(first, ImageSizeX="nan", ImageSizeY="inf", ImageSizeZ="3")
        # one knows its time zone, the other does not
        put_text(
            file["DataSetInfo/TimeInfo"],
            TimePoint1="2026-03-01 12:00:00+01:00",
            TimePoint2="2026-03-01 12:00:10",
        )
    with HDF5Stack(path) as stack:
        assert stack.original_data_shape == (2, 2, 3, 32, 32)
        assert stack.metadata.scale == (1.0,) * 5
    with h5py.File(path, "a") as file:
        del file["DataSetInfo"]
    with HDF5Stack(path) as stack:
        assert stack.metadata.scale is None


def test_a_dataset_of_an_imaris_file_can_be_named(path: Path) -> None:
    image = random_image(1, 1, 4, 32, 32)
    write_imaris(path, [image])
    name = "/DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"
    with HDF5Stack(path, name) as stack:
        assert stack.original_axes == "ZYX"
        assert stack.source == f"{path}#{name}"
        check_image_stack(stack, image[0, 0])


def test_a_damaged_chunk_is_named(path: Path) -> None:
    image = random_image(2, 2, 4, 32, 32)
    write_imaris(path, [image])
    name = "/DataSet/ResolutionLevel 0/TimePoint 1/Channel 1/Data"
    at, size = where_chunk_lies(path, name, (0, 16, 0))
    damage(path, at, size)
    with HDF5Stack(path) as stack:
        with pytest.raises(StackReadError) as caught:
            stack.extract_patch(1, None, (0, 0, 0), (4, 32, 32))
        expected = (
            f"{path} cannot be read at T=1 C=0…1 Z=0…3 Y=0…31 X=0…31: {name}: chunk at "
            f"(0, 16, 0), byte {at}: OSError: "
        )
        assert str(caught.value).startswith(expected)
        good = stack.extract_patch(1, [0], (0, 0, 0), (4, 32, 32))
        np.testing.assert_array_equal(good[0], image[1, 0])


def test_a_missing_volume_is_named(path: Path) -> None:
    image = random_image(3, 2, 4, 32, 32)
    write_imaris(path, [image])
    with h5py.File(path, "a") as file:
        del file["DataSet/ResolutionLevel 0/TimePoint 1/Channel 1"]
    with HDF5Stack(path) as stack:
        message = r"at T=1 .*: /DataSet/ResolutionLevel 0/TimePoint 1/Channel 1/Data is not in "
        with pytest.raises(StackReadError, match=message):
            stack.extract_patch(1, [1], (0, 0, 0), (1, 1, 1))


def test_many_time_points_keep_few_volumes_open(path: Path) -> None:
    image = random_image(40, 2, 4, 16, 16)
    write_imaris(path, [image])
    with HDF5Stack(path) as stack, ThreadPoolExecutor(4) as threads:
        found = threads.map(
            lambda t: stack.extract_patch(t % 40, None, (0, 0, 0), (4, 16, 16)), range(120)
        )
        for t, block in enumerate(found):
            np.testing.assert_array_equal(block, image[t % 40])
        with h5py.File(path, "r") as file:
            opened = h5py.h5f.get_obj_count(file.id, h5py.h5f.OBJ_DATASET | h5py.h5f.OBJ_ALL)
        assert opened < 10
    assert path not in {Path(file.path) for file in psutil.Process().open_files()}
