"""OME-TIFF files."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import DTypeLike, NDArray

from napari_tessera.axes import validate_axes
from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.units import unit_symbol
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata
from napari_tessera.writing.places.checks import check_file, check_place

CLASSIC_LIMIT = 2**32 - 2**26
"""Bytes that a classic TIFF with its metadata can hold; above it is a BigTIFF."""

NAMESPACE = "napari-tessera/run"
"""Of the annotation that says what made an image."""


def write_ome_tiff(
    path: str | Path,
    array: NDArray[Any],
    axes: str,
    metadata: ImageMetadata | None = None,
    *,
    made_by: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an image as OME-TIFF, uncompressed, readable by ImageJ and Bio-Formats.

    The planes lie in the order T, Z, C. OME knows no samples: S and T become one axis T, S-major.
    NaN is kept. float16, which OME lacks, is written as float32. The file appears under its name
    when it is complete.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write.
    array : numpy.ndarray
        The image, float or integer.
    axes : str
        Its axes, letters out of ``STCZYX``.
    metadata : ImageMetadata, optional
        Pixel sizes, units and channel names; of these axes or others. TIFF keeps no translation.
    made_by : mapping, optional
        What made the image: stands in a map annotation of the namespace `NAMESPACE`, values that
        are no text as JSON.
    overwrite : bool, default False
        Replace a file that is there.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError
        If a file is there and ``overwrite`` is False, or something else is.
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder is missing, no folder, or read-only.
    ValueError
        If the axes do not describe the array, or OME-TIFF has no such data type.
    OSError
        Whatever writing raises; no file is left then.
    """
    target = Path(path)
    validate_axes(axes, array.shape)
    pixels = _ome_pixels(array)
    check_place(target)
    check_file(target, overwrite=overwrite)
    region = Region.from_selection(axes, array.shape)
    order = OmeOrder(axes, region.selected_shape)
    meta = disk_metadata((metadata or ImageMetadata(axes)).with_axes(axes), region)
    letters = order.disk_axes
    planes = "".join(letter for letter in "TZCYX" if letter in letters)
    pixels = order.to_disk(pixels).transpose([letters.index(letter) for letter in planes])
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    try:
        with tifffile.TiffWriter(partial, bigtiff=pixels.nbytes > CLASSIC_LIMIT, ome=True) as tiff:
            tiff.write(
                pixels,
                photometric="minisblack",
                metadata={
                    "axes": planes,
                    "Name": target.name,
                    **_ome_entries(meta),
                    **_annotation(made_by),
                },
            )
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return target


def check_tiff_dtype(dtype: DTypeLike) -> None:
    """Raise ValueError if OME-TIFF has no such data type, which is better known before a run."""
    given = np.dtype(dtype)
    if given.kind not in "iuf" or (given.kind != "f" and given.itemsize > 4):
        raise ValueError(f"OME-TIFF holds no {given}: write float32, or choose .ome.zarr")


def _ome_pixels(array: NDArray[Any]) -> NDArray[Any]:
    check_tiff_dtype(array.dtype)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _annotation(made_by: Mapping[str, Any] | None) -> dict[str, Any]:
    if not made_by:
        return {}
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in made_by.items()
    }
    return {"MapAnnotation": {"Namespace": NAMESPACE, **texts}}


def _ome_entries(metadata: ImageMetadata) -> dict[str, Any]:
    """Pixel sizes and channel names as tifffile takes them for the OME-XML."""
    entries: dict[str, Any] = {}
    for letter in metadata.axes:
        scale, unit, _ = metadata.along(letter)
        symbol = unit_symbol(letter, unit)
        name = "TimeIncrement" if letter == "T" else f"PhysicalSize{letter}"
        # without a unit OME assumes µm or s, so that an unknown size is better left out
        if letter != "C" and symbol is not None and scale > 0:
            entries[name] = scale
            entries[f"{name}Unit"] = symbol
    if metadata.channel_names:
        entries["Channel"] = {"Name": list(metadata.channel_names)}
    return entries
