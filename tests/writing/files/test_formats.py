from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from napari_tessera.writing import FORMATS, format_named, format_of
from napari_tessera.writing.files.formats import NPY, OME_TIFF, OME_ZARR, TIFF, FileFormat


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.ome.zarr", OME_ZARR),
        ("a.zarr", OME_ZARR),
        ("folder.tif/a.ZARR/", OME_ZARR),
        ("a.ome.zarr.zip", OME_ZARR),
        ("s3://bucket/in.tif/a.zarr", OME_ZARR),
        ("a.ome.tif", OME_TIFF),
        ("A.OME.TIFF", OME_TIFF),
        ("a.tif", TIFF),
        ("a.ome.zarr/a.tiff", TIFF),
        ("C:\\data\\a.tif", TIFF),
        ("a.npy", NPY),
    ],
)
def test_the_ending_tells_the_format(path: str, expected: FileFormat) -> None:
    assert format_of(path) is expected
    assert format_of(PurePosixPath(path)) is expected


@pytest.mark.parametrize("path", ["a.czi", "a", "a.zip", "folder.tif/a", "a.ome", ""])
def test_unknown_endings_are_named(path: str) -> None:
    with pytest.raises(ValueError, match=r"unknown ending .*use \.ome\.zarr") as caught:
        format_of(path)
    assert "\n" not in str(caught.value)


def test_each_format_knows_itself() -> None:
    for known in FORMATS:
        assert format_named(known.name) is known
        assert format_named(known.label.upper()) is known
        for ending in known.endings:
            assert format_of(f"a{ending}") is known
            assert format_of(Path(f"a{ending}"), known.label) is known
        assert known.compression() == known.default_compression
        assert known.compression("none") == "none"
    assert [known.name for known in FORMATS if known.while_running] == ["ome-zarr"]


def test_a_plain_ending_may_be_an_ome_tiff() -> None:
    assert format_of("a.tif", "ome-tiff") is OME_TIFF


@pytest.mark.parametrize(
    ("path", "name"), [("a.ome.tif", "TIFF"), ("a.npy", "OME-Zarr"), ("a", "npy"), ("a.tif", "npy")]
)
def test_a_format_under_the_ending_of_another_is_refused(path: str, name: str) -> None:
    with pytest.raises(ValueError, match=rf"this is no ending of {name}; use \."):
        format_of(path, name)


def test_unknown_names_are_told_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no format 'png': use ome-zarr, ome-tiff, tiff or npy"):
        format_of("a.tif", "png")
    with pytest.raises(ValueError, match="OME-TIFF has no compression 'zstd': use zlib, lzw or"):
        OME_TIFF.compression("zstd")
    with pytest.raises(ValueError, match="npy has no compression 'zlib': use none"):
        NPY.compression("zlib")


def test_each_type_is_held_or_refused_with_a_way_out() -> None:
    for known in FORMATS:
        for code in "?bBhHiIqQefdFD":
            dtype = np.dtype(code)
            if dtype.name in known.dtypes:
                assert known.stored_dtype(dtype.newbyteorder(">")) == dtype
                assert known.stored_dtype(dtype).isnative
            elif dtype.name == "float16":
                assert known.stored_dtype(dtype) == np.float32
            else:
                with pytest.raises(ValueError, match=rf"{known.label} .*{dtype}.*write") as caught:
                    known.stored_dtype(dtype)
                assert "\n" not in str(caught.value)


def test_imagej_is_told_what_to_write_instead() -> None:
    for dtype in ("int32", "float64", "int16", "uint32"):
        with pytest.raises(ValueError, match=r"uint8, uint16 and float32; write one .*\.ome\.tif"):
            TIFF.stored_dtype(dtype)
