"""Axes, pixel sizes and types by the conventions of those who write HDF5."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_tessera.stacks.hdf5.stack import HDF5Stack
from napari_tessera.testing import check_image_stack

from .hdf5_files import random_image, set_attributes, store


def axistags(letters: str, **resolutions: float) -> str:
    """ilastik's description of axes."""
    axes = [
        {"key": key, "typeFlags": 2, "resolution": resolutions.get(key, 0), "description": ""}
        for key in letters
    ]
    return json.dumps({"axes": axes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.h5"


@pytest.mark.parametrize(
    ("attributes", "axes"),
    [
        ({"axistags": axistags("tzyxc")}, "TZYXC"),
        ({"axistags": axistags("tzyxc").encode()}, "TZYXC"),
        ({"axistags": axistags("xyztc")}, "XYZTC"),
        ({"DIMENSION_LABELS": ["c", "t", "z", "y", "x"]}, "CTZYX"),
        ({"DIMENSION_LABELS": np.array([b"t", b"c", b"z", b"y", b"x"])}, "TCZYX"),
        ({"DIMENSION_LABELS": ["frame", "plane", "row", "column", "channel"]}, "TZYXC"),
        ({"DIMENSION_LABELS": ["", "c", "", "y", "x"]}, "TCZYX"),
        ({"axes": "CZTYX"}, "CZTYX"),
        ({"axes": "c z t x y"}, "CZTXY"),
        ({"axes": "time:z:channel:y:x"}, "TZCYX"),
        ({"axes": ["z", "t", "c", "y", "x"]}, "ZTCYX"),
        ({"axes": np.array([b"z", b"t", b"c", b"y", b"x"])}, "ZTCYX"),
        # said twice, the more particular counts; what is no description is none
        ({"axistags": axistags("tzyxc"), "axes": "CZTYX"}, "TZYXC"),
        ({"axistags": "{not json", "axes": "CZTYX"}, "CZTYX"),
        ({"axistags": axistags("zyx"), "axes": "YX"}, "TZCYX"),
        ({"axistags": "[1]", "axes": 3}, "TZCYX"),
        ({}, "TZCYX"),
    ],
)
def test_axes_are_those_that_the_dataset_names(
    path: Path, attributes: dict[str, Any], axes: str
) -> None:
    image = store(path, random_image(5, 6, 2, 20, 21))
    set_attributes(path, "image", **attributes)
    with HDF5Stack(path) as stack:
        assert stack.original_axes == axes
        check_image_stack(stack, image)
    with HDF5Stack(path, axes="SZCXY") as stack:
        assert stack.original_axes == "SZCXY"


def test_chunks_tell_which_axis_lies_behind_the_plane(path: Path) -> None:
    store(path, random_image(40, 50, 9), chunks=(20, 25, 1))
    with HDF5Stack(path) as stack:
        assert stack.original_axes == "YXZ"


def test_arrays_of_matlab_run_backwards(path: Path) -> None:
    store(path, random_image(9, 50, 40))
    set_attributes(path, "image", MATLAB_class=b"uint16")
    with HDF5Stack(path) as stack:
        assert stack.original_axes == "ZXY"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([0.5, 0.2, 0.1], {"Z": 0.5, "Y": 0.2, "X": 0.1}),
        ([9.0, 0.5, 0.2, 0.1], {"Z": 0.5, "Y": 0.2, "X": 0.1}),
        ([0.2, 0.1], {"Y": 0.2, "X": 0.1}),
        (0.1, {"X": 0.1}),
        ([0.0, 0.2, np.nan], {"Y": 0.2}),
        ("unknown", {}),
    ],
)
def test_pixel_size_in_micrometers(path: Path, sizes: Any, expected: dict[str, float]) -> None:
    store(path, random_image(5, 20, 21))
    set_attributes(path, "image", element_size_um=sizes)
    with HDF5Stack(path) as stack:
        for letter in "ZYX":
            unit = "micrometer" if letter in expected else None
            assert stack.metadata.along(letter) == (expected.get(letter, 1.0), unit, 0.0)


def test_pixel_size_follows_axes_that_are_given(path: Path) -> None:
    store(path, random_image(5, 20, 21))
    set_attributes(path, "image", element_size_um=[0.5, 0.2, 0.1])
    with HDF5Stack(path, axes="TYX") as stack:
        assert stack.metadata.scale == (1.0, 0.2, 0.1)


def test_resolutions_of_ilastik_have_no_unit(path: Path) -> None:
    store(path, random_image(5, 20, 21))
    set_attributes(path, "image", axistags=axistags("zyx", z=2.0, x=0.5))
    with HDF5Stack(path) as stack:
        assert stack.metadata.scale == (2.0, 1.0, 0.5)
        assert stack.metadata.units == (None, None, None)


def test_signed_numbers_of_bigdataviewer_are_unsigned(path: Path) -> None:
    image = random_image(3, 20, 21) * 250
    assert image.max() > 2**15
    name = "/t00000/s00/0/cells"
    store(path, image.view("int16"), name, chunks=(2, 16, 16), compression="gzip")
    with h5py.File(path, "a") as file:
        file["/s00/resolutions"] = np.ones((1, 3))
    with HDF5Stack(path, name) as stack:
        assert stack.original_axes == "ZYX"
        assert stack.data_dtype == np.uint16
        check_image_stack(stack, image)
    set_attributes(path, "/s00", dataType="int16")
    with HDF5Stack(path, name) as stack:
        check_image_stack(stack, image.view("int16"))


def test_other_types_of_bigdataviewer_are_as_they_are(path: Path) -> None:
    image = store(path, random_image(3, 20, 21, dtype="uint8"), "/t00000/s00/0/cells")
    with HDF5Stack(path) as stack:
        check_image_stack(stack, image)
