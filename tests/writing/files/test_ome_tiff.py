from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import open_stack, read_metadata
from napari_tessera.writing import write_file, write_ome_tiff
from napari_tessera.writing.ome.order import OmeOrder

ome_types = pytest.importorskip("ome_types")

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 15, "X": 16}


@settings(max_examples=30)
@given(data=st.data())
def test_any_axes_are_read_back(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    optional = data.draw(st.lists(st.sampled_from("STCZ"), unique=True))
    axes = "".join(data.draw(st.permutations([*optional, "Y", "X"])))
    dtype = data.draw(st.sampled_from(["float32", "float64", "uint8", "uint16", "int16", "int32"]))
    shape = tuple(SIZES[letter] for letter in axes)
    array = np.random.default_rng(0).uniform(0, 99, shape).astype(dtype)
    path = tmp_path_factory.mktemp("tiff") / "a.ome.tif"
    assert write_ome_tiff(path, array, axes=axes) == path
    order = OmeOrder(axes, shape)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        assert not tiff.is_bigtiff
        series = tiff.series[0]
        assert series.dtype == dtype
        letters = order.disk_axes
        expected = order.to_disk(array).transpose([letters.index(a) for a in series.axes])
        np.testing.assert_array_equal(series.asarray(), expected)
        assert series.axes == "".join(letter for letter in "TZCYX" if letter in letters)


def test_pixel_sizes_units_and_channel_names_are_there(tmp_path: Path) -> None:
    meta = ImageMetadata(
        axes="TCZYX",
        scale=(2.0, 1.0, 0.5, 0.1, 0.2),
        units=("second", None, "micrometer", "nanometer", "micrometer"),
        channel_names=("DAPI", "GFP & <RFP>"),
        channel_colors=("0000FF", "00FF80"),
    )
    path = tmp_path / "a.ome.tif"
    write_ome_tiff(path, np.zeros((3, 2, 4, 15, 16), np.uint16), axes="TCZYX", metadata=meta)
    colors = [c.color.as_rgb_tuple() for c in ome_types.from_tiff(path).images[0].pixels.channels]
    assert colors == [(0, 0, 255), (0, 255, 128)]
    pixels = tifffile.xml2dict(tifffile.tiffcomment(path))["OME"]["Image"]["Pixels"]
    assert pixels["PhysicalSizeX"] == 0.2
    assert pixels["PhysicalSizeXUnit"] == "µm"
    assert pixels["PhysicalSizeYUnit"] == "nm"
    assert pixels["PhysicalSizeZ"] == 0.5
    assert pixels["TimeIncrement"] == 2.0
    assert pixels["TimeIncrementUnit"] == "s"
    assert [channel["Name"] for channel in pixels["Channel"]] == ["DAPI", "GFP & <RFP>"]


def test_an_unknown_pixel_size_is_not_made_up(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    meta = ImageMetadata("TYX", scale=(2.0, 1.0, 1.0), units=(None, "pixel", None))
    write_ome_tiff(path, np.zeros((2, 5, 6), np.uint8), axes="TYX", metadata=meta)
    assert "PhysicalSize" not in tifffile.tiffcomment(path)
    assert "TimeIncrement" not in tifffile.tiffcomment(path)


def test_steps_without_a_unit_keep_their_ratio(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    meta = ImageMetadata("ZYX", scale=(3.0, 1.0, 1.0), units=(None, "pixel", None))
    write_ome_tiff(path, np.zeros((2, 5, 6), np.uint8), axes="ZYX", metadata=meta)
    pixels = ome_types.from_tiff(path).images[0].pixels
    assert (pixels.physical_size_z, pixels.physical_size_z_unit.value) == (3.0, "pixel")
    with open_stack(path) as stack:
        assert read_metadata(stack).scale == (3.0, 1.0, 1.0)
        assert read_metadata(stack).units == (None, None, None)


@pytest.mark.parametrize("name", ["a\x07b", "\udcff", "a\x00", "\ufffe"])
def test_names_that_xml_cannot_hold_leave_it_readable(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.ome.tif"
    meta = ImageMetadata("CYX", channel_names=(name, "GFP"))
    array = np.zeros((2, 5, 6), np.uint8)
    write_ome_tiff(path, array, axes="CYX", metadata=meta, made_by={"model": name})
    ome_types.validate_xml(tifffile.tiffcomment(path))
    with open_stack(path) as stack:
        names = read_metadata(stack).channel_names
    assert names is not None
    assert names[0] == name.replace(name.strip("ab"), "\N{REPLACEMENT CHARACTER}")
    assert names[1] == "GFP"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are UTF-8 elsewhere")
@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".npy", ".ome.zarr"])
def test_names_of_files_may_be_no_utf_8(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"\udcff{ending}"
    array = np.arange(30, dtype=np.uint8).reshape(5, 6)
    write_file(path, array, axes="YX")
    assert list(tmp_path.iterdir()) == [path]


def test_nan_and_half_floats(tmp_path: Path) -> None:
    array = np.array([[np.nan, 1.5], [-2, 3]], np.float16)
    write_ome_tiff(tmp_path / "a.tif", array, axes="YX")
    read = tifffile.imread(tmp_path / "a.tif")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array.astype(np.float32))


def test_large_images_are_big_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_tessera.writing.files.ome_tiff.CLASSIC_LIMIT", 100)
    array = np.arange(400, dtype=np.uint16).reshape(20, 20)
    write_ome_tiff(tmp_path / "a.tif", array, axes="YX")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_bigtiff
        np.testing.assert_array_equal(tiff.asarray(), array)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "bool", "complex64"])
def test_types_that_ome_tiff_lacks_are_refused(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(ValueError, match=f"OME-TIFF holds no {dtype}: write float32") as caught:
        write_ome_tiff(tmp_path / "a.tif", np.zeros((4, 4), dtype), axes="YX")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_files_are_kept_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_ome_tiff(path, np.zeros((4, 4), np.uint8), axes="YX")
    with pytest.raises(FileExistsError, match="overwrite it"):
        write_ome_tiff(path, np.ones((4, 4), np.uint8), axes="YX")
    assert tifffile.imread(path).max() == 0
    write_ome_tiff(path, np.ones((4, 4), np.uint8), axes="YX", overwrite=True)
    assert tifffile.imread(path).min() == 1


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    write_ome_tiff(path, np.zeros((4, 4), np.uint8), axes="YX")

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", full)
    with pytest.raises(OSError, match="no space left for"):
        write_ome_tiff(path, np.ones((4, 4), np.uint8), axes="YX", overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]
    monkeypatch.undo()
    assert tifffile.imread(path).max() == 0


def test_wrong_axes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="TYX has 3 letters, the image 2 axes"):
        write_ome_tiff(tmp_path / "a.tif", np.zeros((4, 4)), axes="TYX")
