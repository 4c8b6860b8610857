"""What makers of microscopes write, as tifffile parses it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import TiffStack
from napari_tessera.stacks.tiff import vendors
from napari_tessera.stacks.tiff.calibration import Calibration

from .conformance import check_image_stack
from .mmstack_files import write_mmstack
from .ome_files import stack_of

UM, S = "micrometer", "second"
STEP = pytest.approx


def steps(known: Calibration) -> dict[str, tuple[float, str | None]]:
    return {letter: (size, known.units[letter]) for letter, size in known.scale.items()}


@pytest.mark.parametrize(
    ("understand", "metadata", "expected"),
    [
        (
            vendors.from_micromanager,
            {"Summary": {"PixelSize_um": 0.65, "z-step_um": 2.0, "Interval_ms": 500.0}},
            {"X": (0.65, UM), "Y": (0.65, UM), "Z": (2.0, UM), "T": (0.5, S)},
        ),
        # not calibrated, one plane, as fast as it goes
        (
            vendors.from_micromanager,
            {"Summary": {"PixelSize_um": 0.0, "z-step_um": 0, "Interval_ms": 0}},
            {},
        ),
        (vendors.from_micromanager, {}, {}),
        (
            vendors.from_lsm,
            {"VoxelSizeX": 1e-7, "VoxelSizeY": 2e-7, "VoxelSizeZ": 1e-6, "TimeIntervall": 3.5},
            {"X": (0.1, UM), "Y": (0.2, UM), "Z": (1.0, UM), "T": (3.5, S)},
        ),
        (
            vendors.from_lsm,
            {"VoxelSizeX": 1e-7, "VoxelSizeY": 1e-7, "VoxelSizeZ": 0.0, "TimeIntervall": 0.0},
            {"X": (0.1, UM), "Y": (0.1, UM)},
        ),
        (
            vendors.from_metaseries,
            {
                "PlaneInfo": {
                    "spatial-calibration-x": 1.29,
                    "spatial-calibration-y": 1.3,
                    "spatial-calibration-units": "um",
                }
            },
            {"X": (1.29, UM), "Y": (1.3, UM)},
        ),
        (
            vendors.from_stk,
            {
                "XCalibration": 0.16,
                "YCalibration": 0.17,
                "CalibrationUnits": "um",
                "ZDistance": np.array([0.5, 0.5, 0.5]),
                "TimeCreated": np.array([1000, 3000, 5100], np.uint32),
            },
            {"X": (0.16, UM), "Y": (0.17, UM), "Z": (0.5, UM), "T": (2.05, S)},
        ),
        (
            vendors.from_stk,
            {"ZDistance": np.zeros(3), "TimeCreated": np.array([7, 7, 7], np.uint32)},
            {},
        ),
        (
            vendors.from_fluoview,
            {
                "Dimensions": [
                    ("x", 512, 0.0, 0.497, "um"),
                    ("y", 512, 0.0, 0.5, "um"),
                    ("z", 9, 10.0, 1.5, "um"),
                    ("T", 4, 0.0, 2.0, "s"),
                    ("Ch", 2, 1.0, 1.0, "Ch"),
                ]
            },
            {"X": (0.497, UM), "Y": (0.5, UM), "Z": (1.5, UM), "T": (2.0, S)},
        ),
        (
            vendors.from_scanimage,
            {
                "FrameData": {
                    "SI.hStackManager.stackZStepSize": 5,
                    "SI.hRoiManager.scanFrameRate": 30.0,
                }
            },
            {"Z": (5.0, UM), "T": (1 / 30, S)},
        ),
        (
            vendors.from_sis,
            {"pixelsizex": 6.4e-8, "pixelsizey": 6.4e-8},
            {"X": (0.064, UM), "Y": (0.064, UM)},
        ),
        (
            vendors.from_fei,
            {"Scan": {"PixelWidth": 1.5e-9, "PixelHeight": 2e-9}},
            {"X": (0.0015, UM), "Y": (0.002, UM)},
        ),
        (
            vendors.from_sem,
            {"ap_image_pixel_size": ("Image Pixel Size", 8.93, "nm")},
            {"X": (8.93, "nanometer"), "Y": (8.93, "nanometer")},
        ),
        (
            vendors.from_tvips,
            {"PixelSizeX": 0.5, "PixelSizeY": 0.6},
            {"X": (0.5, "nanometer"), "Y": (0.6, "nanometer")},
        ),
    ],
)
def test_each_maker_is_understood(
    understand: Any, metadata: Mapping[str, Any], expected: dict[str, tuple[float, str]]
) -> None:
    found = steps(understand(metadata))
    assert set(found) == set(expected)
    for letter, (size, unit) in expected.items():
        assert found[letter] == (STEP(size), unit)


def test_names_of_channels() -> None:
    summary = {"Summary": {"ChNames": ["DAPI", "GFP"]}}
    assert vendors.from_micromanager(summary).channel_names == ("DAPI", "GFP")
    colours = {"ChannelColors": {"ColorNames": ["Ch1-T1", "Ch2-T2"]}}
    assert vendors.from_lsm(colours).channel_names == ("Ch1-T1", "Ch2-T2")
    assert vendors.from_micromanager({"Summary": {"ChNames": ["", ""]}}).channel_names is None


@pytest.mark.parametrize(
    ("description", "step"),
    [
        ("Aperio Image Library|AppMag = 20|MPP = 0.4990|Left = 1", 0.499),
        ("Aperio Image Library|MPP=2.5e-1", 0.25),
        ("Aperio Image Library|AppMag = 20", None),
        ("Aperio Image Library|MPP = ...", None),
    ],
)
def test_slides(description: str, step: float | None) -> None:
    expected = {} if step is None else {"X": (step, UM), "Y": (step, UM)}
    assert steps(vendors.from_svs(description)) == expected


def test_what_is_written_in_an_unknown_way_is_unknown() -> None:
    class File(SimpleNamespace):
        @property
        def sis_metadata(self) -> None:
            raise OSError("cut off")

    file = File(
        is_svs=False,
        lsm_metadata=("no", "dict"),
        sem_metadata={"ap_image_pixel_size": 3},
        fei_metadata={"Scan": {"PixelWidth": 1e-9}},
    )
    assert steps(vendors.from_vendor(file)) == {"X": (STEP(0.001), UM)}


def test_a_metamorph_file(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    description = (
        "<MetaData><PlaneInfo>"
        '<prop id="spatial-calibration-x" type="float" value="0.645"/>'
        '<prop id="spatial-calibration-y" type="float" value="0.65"/>'
        '<prop id="spatial-calibration-units" type="string" value="um"/>'
        "</PlaneInfo></MetaData>"
    )
    array = np.zeros((20, 30), np.uint16)
    tifffile.imwrite(path, array, description=description, metadata=None, software="MetaSeries")
    with TiffStack(path) as stack:
        assert stack.metadata.scale == (0.65, 0.645)
        assert stack.metadata.units == (UM, UM)


def test_a_micromanager_file(tmp_path: Path) -> None:
    path, array = tmp_path / "run_MMStack.ome.tif", stack_of(3, 2, 8, 9)
    write_mmstack(path, array, ChNames=["DAPI", "GFP"])
    with tifffile.TiffFile(path) as file:
        assert file.is_mmstack
    with TiffStack(path) as stack:
        check_image_stack(stack, array, "TCYX")
        assert stack.metadata.scale == (2.0, 1.0, 0.5, 0.5)
        assert stack.metadata.units == (S, None, UM, UM)
        assert stack.metadata.channel_names == ("DAPI", "GFP")


def test_planes_that_were_never_taken_are_empty(tmp_path: Path) -> None:
    path, array = tmp_path / "run_MMStack.ome.tif", stack_of(4, 2, 8, 9)
    write_mmstack(path, array)
    content = bytearray(path.read_bytes())
    # the index without its last plane
    at = content.rindex(struct.pack("<II", 3453623, 8))
    content[at : at + 8] = struct.pack("<II", 3453623, 7)
    path.write_bytes(content[:-20])
    expected = array.copy()
    expected[3, 1] = 0
    with TiffStack(path) as stack:
        check_image_stack(stack, expected, "TCYX")
