"""Pixel size, units and names that files tell."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import TiffStack
from napari_tessera.stacks.tiff.metadata import series_axes

from .conformance import Array

UM = "micrometer"


def random_image(*shape: int, dtype: str = "uint16") -> Array:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def metadata_of(path: Path, array: Array, **settings: Any) -> ImageMetadata:
    """What is read from a file that tifffile writes."""
    tifffile.imwrite(path, array, **settings)
    with TiffStack(path) as stack:
        return stack.metadata


def test_calibration_of_an_imagej_file(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path,
        random_image(2, 7, 40, 50),
        imagej=True,
        resolution=(1 / 0.25, 1 / 0.5),
        metadata={"axes": "TZYX", "unit": "um", "spacing": 2.0, "finterval": 0.1},
    )
    with TiffStack(path) as stack:
        known = stack.metadata
    assert known.scale == pytest.approx((0.1, 2.0, 0.5, 0.25))
    assert known.units == ("second", "micrometer", "micrometer", "micrometer")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["DAPI", "µ-GFP"] * 3, ("DAPI", "µ-GFP")),
        (["z1 a", "z1 b", "z2 a", "z2 b", "z3 a", "z3 b"], None),
        (["", ""] * 3, None),
        (["DAPI", "GFP"], None),
    ],
)
def test_labels_that_imagej_repeats_name_channels(
    labels: list[str], names: tuple[str, ...] | None, tmp_path: Path
) -> None:
    settings = {"imagej": True, "metadata": {"axes": "ZCYX", "Labels": labels}}
    known = metadata_of(tmp_path / "image.tif", random_image(3, 2, 40, 50), **settings)
    assert known.channel_names == names


def test_imagej_leaves_out_a_spacing_of_one_unit(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    metadata = {"axes": "ZYX", "unit": "micron"}
    tifffile.imwrite(
        path, random_image(7, 40, 50), imagej=True, resolution=(4.0, 4.0), metadata=metadata
    )
    with TiffStack(path) as stack:
        assert stack.metadata.along("Z") == (1.0, "micrometer", 0.0)


def test_calibration_of_an_ome_file(tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    tifffile.imwrite(
        path,
        random_image(4, 2, 7, 40, 50),
        photometric="minisblack",
        metadata={
            "axes": "TCZYX",
            "PhysicalSizeX": 100.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.2,
            "PhysicalSizeZ": 1.5,
            "PhysicalSizeZUnit": "µm",
            "TimeIncrement": 40.0,
            "TimeIncrementUnit": "ms",
            "Channel": {"Name": ["DAPI", "GFP"]},
        },
    )
    with TiffStack(path) as stack:
        known = stack.metadata
    assert known.axes == "TCZYX"
    assert known.scale == (40.0, 1.0, 1.5, 0.2, 100.0)
    assert known.units == ("millisecond", None, "micrometer", "micrometer", "nanometer")
    assert known.channel_names == ("DAPI", "GFP")
    with TiffStack(path, channels=[1]) as stack:
        assert stack.metadata.channel_names == ("GFP",)
        assert stack.data_shape == (4, 1, 7, 40, 50)


def test_calibration_of_plain_tags(tmp_path: Path) -> None:
    array, path = random_image(40, 50), tmp_path / "image.tif"
    tifffile.imwrite(path, array, resolution=(20_000, 40_000), resolutionunit="CENTIMETER")
    with TiffStack(path) as stack:
        assert stack.metadata.scale == (0.25, 0.5)
        assert stack.metadata.units == ("micrometer", "micrometer")
    tifffile.imwrite(path, array, resolution=(300, 300), resolutionunit="INCH")
    with TiffStack(path) as stack:
        assert stack.metadata.scale == (1.0, 1.0)
        assert stack.metadata.units == (None, None)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("\\u00B5m", UM),
        ("um", UM),
        ("micron", UM),
        ("microns", UM),
        ("nm", "nanometer"),
        ("inch", "inch"),
        ("cm", "centimeter"),
        ("furlong", "furlong"),
        ("pixel", None),
    ],
)
def test_units_that_imagej_writes(unit: str, name: str | None, tmp_path: Path) -> None:
    known = metadata_of(
        tmp_path / "image.tif",
        random_image(4, 8, 9),
        imagej=True,
        resolution=(4.0, 2.0),
        metadata={"axes": "ZYX", "unit": unit, "spacing": 3.0},
    )
    assert known.scale == (3.0, 0.5, 0.25)
    assert known.units == (name, name, name)


@pytest.mark.parametrize(
    ("written", "step"),
    [
        ({"finterval": 0.5}, (0.5, "second")),
        ({"fps": 4}, (0.25, "second")),
        ({"finterval": 250, "tunit": "ms"}, (250.0, "millisecond")),
        ({"finterval": 0}, (1.0, None)),
        ({"finterval": -1.0}, (1.0, None)),
        ({"finterval": float("nan")}, (1.0, None)),
        ({"fps": 0}, (1.0, None)),
        ({"fps": -3}, (1.0, None)),
        ({}, (1.0, None)),
    ],
)
def test_time_between_frames_in_imagej(
    written: dict[str, Any], step: tuple[float, str | None], tmp_path: Path
) -> None:
    known = metadata_of(
        tmp_path / "image.tif",
        random_image(4, 8, 9),
        imagej=True,
        metadata={"axes": "TYX", **written},
    )
    assert known.along("T") == (*step, 0.0)


def test_resolution_without_a_unit_still_tells_the_shape_of_a_pixel(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    settings = {"imagej": True, "metadata": {"axes": "YX"}, "resolution": (4.0, 2.0)}
    known = metadata_of(path, random_image(8, 9), **settings)
    assert known.along("X") == (0.25, None, 0.0)
    assert known.along("Y") == (0.5, None, 0.0)
    # per inch it is for printing
    known = metadata_of(path, random_image(8, 9), resolutionunit="INCH", **settings)
    assert known.along("X") == (1.0, None, 0.0)
    known = metadata_of(path, random_image(8, 9), resolutionunit="CENTIMETER", **settings)
    assert known.along("X") == (2500.0, UM, 0.0)


@pytest.mark.parametrize(
    ("size", "unit", "expected"),
    [
        ("0.25", "µm", (0.25, UM)),
        ("0.25", None, (0.25, UM)),
        ("65", "nm", (65.0, "nanometer")),
        ("0.001", "mm", (0.001, "millimeter")),
        ("2", "Å", (2.0, "angstrom")),
        ("2", "pixel", (2.0, None)),
        ("2", "reference frame", (2.0, None)),
        ("0", "µm", (1.0, None)),
        ("-1", "µm", (1.0, None)),
        ("NaN", "µm", (1.0, None)),
        ("INF", "µm", (1.0, None)),
        ("wide", "µm", (1.0, None)),
    ],
)
def test_pixel_sizes_in_ome(
    size: str, unit: str | None, expected: tuple[float, str | None], tmp_path: Path
) -> None:
    path = tmp_path / "image.ome.tif"
    metadata = {"axes": "ZYX", "PhysicalSizeX": 9.0, "PhysicalSizeXUnit": "km"}
    tifffile.imwrite(path, random_image(3, 8, 9), photometric="minisblack", metadata=metadata)
    xml = tifffile.tiffcomment(path)
    xml = xml.replace('"9.0"', f'"{size}"')
    xml = xml.replace(
        ' PhysicalSizeXUnit="km"', "" if unit is None else f' PhysicalSizeXUnit="{unit}"'
    )
    tifffile.tiffcomment(path, xml.encode())
    with TiffStack(path) as stack:
        assert stack.metadata.along("X") == (*expected, 0.0)


def test_tags_fill_in_what_ome_leaves_out(tmp_path: Path) -> None:
    known = metadata_of(
        tmp_path / "image.ome.tif",
        random_image(3, 8, 9),
        photometric="minisblack",
        metadata={"axes": "ZYX", "PhysicalSizeZ": 2.0},
        resolution=(20_000, 40_000),
        resolutionunit="CENTIMETER",
    )
    assert known.scale == (2.0, 0.25, 0.5)
    assert known.units == (UM, UM, UM)


@pytest.mark.parametrize(
    ("shape", "letters", "axes"),
    [
        ((9, 8, 20, 30), "RZYX", "SZYX"),
        ((9, 8, 20, 30), "MTYX", "STYX"),
        ((9, 20, 30), "QYX", "ZYX"),
        ((3, 20, 30), "QYX", "CYX"),
        ((9, 8, 20, 30), "IQYX", "TZYX"),
        ((9, 5, 8, 20, 30), "HTZYX", "STZYX"),
        ((9, 2, 20, 30, 3), "RCYXS", "ZCYXS"),
        ((9, 20, 30, 3), "EYXS", "ZYXC"),
        ((1, 9, 20, 30), "TZYX", "TZYX"),
    ],
)
def test_letters_of_other_programs(
    shape: tuple[int, ...], letters: str, axes: str, tmp_path: Path
) -> None:
    path = tmp_path / "image.tif"
    settings = {"photometric": "rgb"} if letters[-1] == "S" else {"photometric": "minisblack"}
    tifffile.imwrite(
        path, random_image(*shape, dtype="uint8"), metadata={"axes": letters}, **settings
    )
    with TiffStack(path) as stack:
        assert stack.original_axes == axes
        assert stack.original_data_shape == shape


@pytest.mark.parametrize(
    ("kind", "letters", "axes"),
    [
        ("lsm", "PZCYX", "SZCYX"),
        ("lsm", "MZYXC", "SZYXC"),
        ("lsm", "TPZYX", "TSZYX"),
        ("stk", "ZYX", "ZYX"),
        ("stk", "IYX", "ZYX"),
        ("nih", "IYX", "ZYX"),
        ("mmstack", "TRZCYX", "TSZCYX"),
        ("ndtiff", "RTZYX", "STZYX"),
        ("fluoview", "TZCYX", "TZCYX"),
        ("fluoview", "VZYX", "TZYX"),
        ("ome", "TPYX", "TZYX"),
        ("ome", "CEYX", "CZYX"),
        ("scanimage", "ZTCYX", "ZTCYX"),
    ],
)
def test_letters_of_makers(kind: str, letters: str, axes: str) -> None:
    series = SimpleNamespace(kind=kind, axes=letters, shape=(9,) * (len(letters) - 2) + (20, 30))
    assert series_axes(series) == axes


def test_more_axes_than_letters_are_refused_with_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    array = random_image(2, 2, 2, 2, 2, 8, 9)
    tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": "QRTCZYX"})
    with pytest.raises(ValueError, match=r"image\.tif: an image of shape 2×2×2×2×2×8×9 has 7 axes"):
        TiffStack(path)
