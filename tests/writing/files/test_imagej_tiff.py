from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import open_stack, read_metadata
from napari_tessera.writing import write_imagej_tiff
from napari_tessera.writing.files import imagej_tiff

from .images import NAMES, all_axes, described, disk_letters, image, ordered


@settings(max_examples=30)
@given(axes=all_axes(), dtype=st.sampled_from(["uint8", "uint16", "float32", ">u2"]))
def test_any_axes_become_a_hyperstack(
    axes: str, dtype: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = image(axes, dtype)
    path = tmp_path_factory.mktemp("tiff") / "a.tif"
    assert write_imagej_tiff(path, array, axes=axes, metadata=described(axes)) == path
    letters = disk_letters(axes, "TZCYX")
    expected = ordered(array, axes, letters)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_imagej
        assert not tiff.is_ome
        assert tiff.series[0].axes == letters
        np.testing.assert_array_equal(tiff.asarray(), expected)
        assert tiff.asarray().dtype == np.dtype(dtype).newbyteorder("=")
        assert len(tiff.pages) == expected[..., 0, 0].size
        sizes = dict(zip(letters, expected.shape, strict=True))
        found = tiff.imagej_metadata
        for name, letter in (("frames", "T"), ("slices", "Z"), ("channels", "C")):
            assert found.get(name, 1) == sizes.get(letter, 1)
        assert found["images"] == len(tiff.pages)
        if "C" in axes:
            assert found["Labels"] == list(NAMES) * (len(tiff.pages) // 2)
            assert found["mode"] == "composite"
    with open_stack(path) as stack:
        known = read_metadata(stack)
        assert stack.original_axes == known.axes == letters
        assert known.along("X") == pytest.approx((0.2, "micrometer", 0))
        assert known.along("Y") == pytest.approx((0.25, "micrometer", 0))
        assert known.along("Z")[:2] == ((0.75, "micrometer") if "Z" in axes else (1.0, None))
        if "S" not in axes and "T" in axes:
            assert known.along("T")[:2] == (2.5, "second")
        else:
            # of samples one after the other, steps in T are no times
            assert known.along("T")[0] == 1.0
        assert known.channel_names == (NAMES if "C" in axes else None)


def test_lengths_are_told_in_the_unit_of_x(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    meta = ImageMetadata(
        "TZYX",
        scale=(2.0, 0.003, 500.0, 0.5),
        units=("minute", "mm", "nanometer", "micrometer"),
    )
    write_imagej_tiff(path, image("TZYX"), axes="TZYX", metadata=meta)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.imagej_metadata["unit"] == "micron"
        assert tiff.imagej_metadata["spacing"] == 3.0
        assert tiff.imagej_metadata["finterval"] == 120.0
        tags = tiff.pages[0].tags
        assert tags["XResolution"].value == (2, 1)
        assert tags["YResolution"].value == (2, 1)


def test_steps_without_a_unit_keep_their_ratio(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    meta = ImageMetadata("ZYX", scale=(3.0, 1.0, 1.0), units=(None, "pixel", None))
    write_imagej_tiff(path, image("ZYX"), axes="ZYX", metadata=meta)
    with tifffile.TiffFile(path) as tiff:
        assert "unit" not in tiff.imagej_metadata
        assert tiff.imagej_metadata["spacing"] == 3.0


def test_what_cannot_be_told_in_the_unit_of_x_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    meta = ImageMetadata("ZYX", scale=(3.0, 2.0, 0.5), units=(None, "parsec", "nm"))
    write_imagej_tiff(path, image("ZYX"), axes="ZYX", metadata=meta)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.imagej_metadata["unit"] == "nanometer"
        assert "spacing" not in tiff.imagej_metadata
        assert tiff.pages[0].tags["YResolution"].value == (1, 1)


@pytest.mark.parametrize("step", [1e-12, 1e12, float("nan"), float("inf"), -0.5, 0.0])
def test_steps_that_tiff_cannot_tell_are_unknown(tmp_path: Path, step: float) -> None:
    path = tmp_path / "a.tif"
    meta = ImageMetadata("ZYX", scale=(2.0, step, step), units=("mm", "mm", "mm"))
    write_imagej_tiff(path, image("ZYX"), axes="ZYX", metadata=meta)
    with open_stack(path) as stack:
        known = read_metadata(stack)
    assert known.along("X")[0] == known.along("Y")[0] == 1.0
    np.testing.assert_array_equal(tifffile.imread(path), image("ZYX"))


def test_channels_are_shown_from_dark_to_bright(tmp_path: Path) -> None:
    array = np.zeros((2, 3, 40, 50), np.float32)
    array[:, 0] = np.linspace(100, 200, 4000).reshape(2, 40, 50)
    array[:, 1] = np.linspace(-5, 5, 4000).reshape(2, 40, 50)
    array[:, 1, :3] = np.nan
    path = tmp_path / "a.tif"
    write_imagej_tiff(path, array, axes="TCYX")
    with tifffile.TiffFile(path) as tiff:
        shown = np.reshape(tiff.imagej_metadata["Ranges"], (3, 2))
        assert shown[0] == pytest.approx((100.1, 199.9), abs=0.1)
        assert shown[1] == pytest.approx((-4.99, 4.99), abs=0.7)
        assert shown[2][0] < shown[2][1]
        assert (tiff.imagej_metadata["min"], tiff.imagej_metadata["max"]) == tuple(shown[0])
        np.testing.assert_array_equal(tiff.asarray(), array)


def test_an_image_without_pixels_of_a_value_is_written(tmp_path: Path) -> None:
    array = np.full((20, 30), np.nan, np.float32)
    write_imagej_tiff(tmp_path / "a.tif", array, axes="YX")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert "Ranges" not in tiff.imagej_metadata
        np.testing.assert_array_equal(tiff.asarray(), array)


def test_half_floats_become_floats(tmp_path: Path) -> None:
    array = image("YX", "float16")
    write_imagej_tiff(tmp_path / "a.tif", array, axes="YX")
    read = tifffile.imread(tmp_path / "a.tif")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array.astype(np.float32))


def test_stacks_beyond_four_gigabytes_have_one_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imagej_tiff, "DIRECTORY_LIMIT", 10_000)
    array = image("TZCYX")
    path = tmp_path / "a.tif"
    write_imagej_tiff(path, array, axes="TZCYX", metadata=described("TZCYX"))
    with tifffile.TiffFile(path) as tiff:
        assert not tiff.is_bigtiff
        assert len(tiff.pages) == 1
        assert tiff.imagej_metadata["images"] == 24
        np.testing.assert_array_equal(tiff.asarray(), array)
    with open_stack(path) as stack:
        assert stack.original_axes == "TZCYX"
        patch = stack.extract_patch(2, [1], (3, 4, 5), (1, 6, 7))
        np.testing.assert_array_equal(patch[0, 0], array[2, 3, 1, 4:10, 5:12])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "float64", "bool"])
def test_types_that_imagej_lacks_are_refused(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(ValueError, match=rf"TIFF holds no {dtype}: ImageJ reads uint8") as caught:
        write_imagej_tiff(tmp_path / "a.tif", np.zeros((4, 4), dtype), axes="YX")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_planes_that_imagej_cannot_count_are_refused(tmp_path: Path) -> None:
    huge = np.broadcast_to(np.uint8(0), (50_000, 50_000))
    with pytest.raises(ValueError, match=r"at most 2,147,483,647 pixels, .*50000 × 50000: choose"):
        write_imagej_tiff(tmp_path / "a.tif", huge, axes="YX")
    assert list(tmp_path.iterdir()) == []
