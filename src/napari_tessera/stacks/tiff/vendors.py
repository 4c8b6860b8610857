"""Pixel size as makers of microscopes write it, from what tifffile parses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from tifffile import TiffFile

from napari_tessera.stacks.tiff.calibration import Calibration

_MICROMETER, _SECOND = "micrometer", "second"
_METERS = 1e6
"""Micrometers in a meter."""
_SVS_STEP = re.compile(r"\|\s*MPP\s*=\s*([0-9.eE+-]+)")


def from_micromanager(metadata: Mapping[str, Any]) -> Calibration:
    """Micro-Manager's summary: micrometers, milliseconds."""
    summary = metadata.get("Summary", {})
    known = Calibration()
    for letter in "XY":
        known.put(letter, summary.get("PixelSize_um"), _MICROMETER)
    known.put("Z", summary.get("z-step_um"), _MICROMETER)
    known.put("T", summary.get("Interval_ms"), _SECOND, 1e-3)
    known.channel_names = _names(summary.get("ChNames"))
    return known


def from_lsm(metadata: Mapping[str, Any]) -> Calibration:
    """Zeiss LSM: meters, seconds."""
    known = Calibration()
    for letter in "XYZ":
        known.put(letter, metadata.get(f"VoxelSize{letter}"), _MICROMETER, _METERS)
    # the name of the field has two l
    known.put("T", metadata.get("TimeIntervall"), _SECOND)
    known.channel_names = _names(metadata.get("ChannelColors", {}).get("ColorNames"))
    return known


def from_metaseries(metadata: Mapping[str, Any]) -> Calibration:
    """MetaMorph and MetaXpress: a unit of their own."""
    plane = metadata.get("PlaneInfo", {})
    known = Calibration()
    for letter in "XY":
        size = plane.get(f"spatial-calibration-{letter.lower()}")
        known.put(letter, size, plane.get("spatial-calibration-units"))
    return known


def from_stk(metadata: Mapping[str, Any]) -> Calibration:
    """MetaMorph stacks: a unit of their own, also for the distance of planes; milliseconds."""
    known = Calibration()
    unit = metadata.get("CalibrationUnits")
    for letter in "XY":
        known.put(letter, metadata.get(f"{letter}Calibration"), unit)
    known.put("Z", _typical(metadata.get("ZDistance")), unit)
    times = np.asarray(metadata.get("TimeCreated", ()), np.float64)
    known.put("T", _typical(np.diff(times)), _SECOND, 1e-3)
    return known


def from_fluoview(metadata: Mapping[str, Any]) -> Calibration:
    """Olympus FluoView: name, size, origin, resolution and unit of each axis."""
    known = Calibration()
    for name, _, _, resolution, unit in metadata.get("Dimensions", ()):
        if name.upper() in ("X", "Y", "Z", "T"):
            known.put(name.upper(), resolution, unit)
    return known


def from_scanimage(metadata: Mapping[str, Any]) -> Calibration:
    """ScanImage: micrometers between planes, frames per second."""
    frame = metadata.get("FrameData", {})
    known = Calibration()
    known.put("Z", frame.get("SI.hStackManager.stackZStepSize"), _MICROMETER)
    rate = float(frame.get("SI.hRoiManager.scanFrameRate", 0))
    known.put("T", 1 / rate if rate > 0 else None, _SECOND)
    return known


def from_sis(metadata: Mapping[str, Any]) -> Calibration:
    """Olympus SIS: meters."""
    known = Calibration()
    for letter in "XY":
        known.put(letter, metadata.get(f"pixelsize{letter.lower()}"), _MICROMETER, _METERS)
    return known


def from_fei(metadata: Mapping[str, Any]) -> Calibration:
    """FEI and Thermo Fisher electron microscopes: meters."""
    scan = metadata.get("Scan", metadata.get("EScan", {}))
    known = Calibration()
    known.put("X", scan.get("PixelWidth"), _MICROMETER, _METERS)
    known.put("Y", scan.get("PixelHeight"), _MICROMETER, _METERS)
    return known


def from_sem(metadata: Mapping[str, Any]) -> Calibration:
    """Zeiss electron microscopes: what it is called, value, unit."""
    _, value, unit = metadata.get("ap_image_pixel_size") or metadata["ap_pixel_size"]
    known = Calibration()
    for letter in "XY":
        known.put(letter, value, unit)
    return known


def from_tvips(metadata: Mapping[str, Any]) -> Calibration:
    """TVIPS cameras: nanometers."""
    known = Calibration()
    for letter in "XY":
        known.put(letter, metadata.get(f"PixelSize{letter}"), "nanometer")
    return known


def from_svs(description: str) -> Calibration:
    """Aperio slides: micrometers per pixel in the description."""
    known = Calibration()
    found = _SVS_STEP.search(description)
    for letter in "XY":
        known.put(letter, found and found[1], _MICROMETER)
    return known


VENDORS: tuple[tuple[str, Callable[[Mapping[str, Any]], Calibration]], ...] = (
    ("micromanager_metadata", from_micromanager),
    ("lsm_metadata", from_lsm),
    ("metaseries_metadata", from_metaseries),
    ("stk_metadata", from_stk),
    ("fluoview_metadata", from_fluoview),
    ("scanimage_metadata", from_scanimage),
    ("sis_metadata", from_sis),
    ("fei_metadata", from_fei),
    ("sem_metadata", from_sem),
    ("tvips_metadata", from_tvips),
)
"""Attributes of tifffile.TiffFile, and who understands what is in them."""


def from_vendor(file: TiffFile) -> Calibration:
    """What the maker's metadata says of the first image of a file; nothing where there is none.

    Metadata that is written in an unknown way counts as none: it is no reason not to open.
    """
    known = Calibration()
    if file.is_svs:
        known = from_svs(file.pages.first.description)
    for name, understand in VENDORS:
        try:
            metadata = getattr(file, name)
            if metadata:
                known = known.completed(understand(metadata))
        except (AttributeError, LookupError, OSError, TypeError, ValueError):
            continue
    return known


def _typical(steps: Any) -> float | None:
    found = np.abs(np.asarray(() if steps is None else steps, np.float64))
    return float(np.median(found)) if found.size else None


def _names(names: Iterable[Any] | None) -> tuple[str, ...] | None:
    listed = tuple(map(str, names or ()))
    return listed if any(listed) else None
