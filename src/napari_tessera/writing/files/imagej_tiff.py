"""TIFF files as ImageJ itself writes them: hyperstacks that it opens without a plugin."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.units import ome_unit, unit_ratio
from napari_tessera.writing.files.formats import TIFF
from napari_tessera.writing.files.partial import complete_file
from napari_tessera.writing.files.pixels import BLOCK_LIMIT, OrderedPixels, blocks_of
from napari_tessera.writing.ome.channels import channel_attributes
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata
from napari_tessera.writing.ome.plain_text import plain_text
from napari_tessera.writing.places.lock import StoreLock

DIRECTORY_LIMIT = 2**32 - 2**26
"""Bytes of pixels behind which a classic TIFF can list no more planes."""

MOST_PIXELS = 2**31 - 1
"""Of a plane: ImageJ counts them in a signed number of 32 bits."""

_COMPOSITE = range(2, 8)
"""How many channels ImageJ shows in one picture."""
_PAGE_BYTES = 512
"""Bytes of a plane's directory, generously."""
_FRACTION = 2**31
"""TIFF's fractions have 32 bits above and below."""
_ASCII_UNITS = {"micrometer": "micron"}
"""As ImageJ writes them; others by their full name."""


def write_imagej_tiff(
    file_path: str | PathLike[str],
    img: ArrayLike,
    *,
    axes: str,
    metadata: ImageMetadata | None = None,
    overwrite: bool = False,
    memory_limit: int = BLOCK_LIMIT,
    lock: StoreLock | None = None,
) -> Path:
    """Write an image as ImageJ's TIFF: a hyperstack TZCYX, not compressed.

    S and T become one axis T, S-major, as ImageJ knows no samples. NaN is kept, float16 is written
    as float32. Beyond 4 GB the file has the directory of its first plane only and the number of
    planes in its description, as ImageJ writes it: ImageJ, Fiji, tifffile and this package read
    that, others see one plane. The image is read a block at a time, and the file appears under
    its name when it is complete.

    Parameters
    ----------
    file_path : str or path-like
        File to write.
    img : array-like
        The image, uint8, uint16 or float32: a NumPy array, or anything that has a shape and a data
        type and gives pixels of slices.
    axes : str
        Its axes, letters out of ``STCZYX``.
    metadata : ImageMetadata, optional
        Pixel sizes, units and channel names; of these axes or others. Lengths are written in the
        unit of X, times in seconds, names as labels of the planes. TIFF keeps no translation.
    overwrite : bool, default False
        Replace a file that is there.
    memory_limit : int, optional
        Bytes of pixels to read at a time; one row at least.
    lock : StoreLock, optional
        The file's lock, where the caller has it (see `lock_file`); default: taken while writing.

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
    StoreBusyError
        If another run writes the file.
    ValueError
        If the axes do not describe the image, or ImageJ has no such data type or no such large
        planes.
    OSError
        Whatever reading or writing raises; no file is left then.
    """
    target = Path(file_path)
    planes = OmeOrder(axes, tuple(img.shape)).plane_axes
    pixels = OrderedPixels(img, axes, planes)
    dtype = TIFF.stored_dtype(pixels.dtype)
    *outer, height, width = pixels.shape
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"ImageJ opens planes of at most {MOST_PIXELS:,} pixels, these have {height} × {width}"
            ": choose .ome.tif or .ome.zarr"
        )
    region = Region.from_selection(axes, img.shape)
    meta = disk_metadata((metadata or ImageMetadata(axes)).with_axes(axes), region)
    n_planes = int(np.prod(outer, dtype=np.int64))
    nbytes = n_planes * height * width * dtype.itemsize
    with (
        complete_file(target, overwrite=overwrite, nbytes=nbytes, lock=lock) as partial,
        tifffile.TiffWriter(partial, imagej=True) as tiff,
    ):
        tiff.write(
            (
                block.astype(dtype.newbyteorder(">"))
                for block in blocks_of(pixels, limit=memory_limit)
            ),
            shape=pixels.shape,
            dtype=dtype,
            photometric="minisblack",
            truncate=nbytes + n_planes * _PAGE_BYTES > DIRECTORY_LIMIT,
            resolution=_resolution(meta) or (1.0, 1.0),
            metadata={"axes": planes, **_entries(meta, pixels)},
        )
    return target


def _resolution(metadata: ImageMetadata) -> tuple[float, float] | None:
    """Pixels per unit along X and Y, in the unit of X; None where fractions cannot tell them."""
    x, y = (_length(metadata, letter) or 1.0 for letter in "XY")
    return (1 / x, 1 / y) if all(1 / _FRACTION < step < _FRACTION for step in (x, y)) else None


def _length(metadata: ImageMetadata, letter: str) -> float | None:
    """Step along an axis in the unit of X; None where it cannot be told in it."""
    scale, unit, _ = metadata.along(letter)
    _, own, _ = metadata.along("X")
    ratio = unit_ratio(ome_unit(letter, unit), ome_unit("X", own))
    return None if ratio is None or scale <= 0 else scale * ratio


def _entries(metadata: ImageMetadata, pixels: OrderedPixels) -> dict[str, Any]:
    """What stands in ImageJ's description and in its own tags."""
    sizes = dict(zip(pixels.order, pixels.shape, strict=True))
    unit = ome_unit("X", metadata.along("X")[1])
    entries: dict[str, Any] = {}
    if _resolution(metadata) is not None:
        if unit is not None:
            entries["unit"] = _ASCII_UNITS.get(unit, unit)
        spacing = _length(metadata, "Z")
        if "Z" in sizes and spacing is not None:
            entries["spacing"] = spacing
    step, time_unit, _ = metadata.along("T")
    seconds = unit_ratio(ome_unit("T", time_unit), "second")
    if "T" in sizes and seconds is not None and step > 0:
        entries["finterval"] = step * seconds
    n_channels = sizes.get("C", 1)
    if n_channels in _COMPOSITE:
        entries["mode"] = "composite"
    if metadata.channel_names:
        repeats = int(np.prod(pixels.shape[: pixels.order.index("C")], dtype=np.int64))
        entries["Labels"] = [plain_text(name) for name in metadata.channel_names] * repeats
    # with none ImageJ looks at the plane it shows first, which may be the dark end of a stack
    shown = channel_attributes(pixels, metadata.with_axes(pixels.order))
    if shown is not None:
        windows = [channel["window"] for channel in shown["channels"]]
        entries["min"], entries["max"] = windows[0]["start"], windows[0]["end"]
        entries["Ranges"] = [window[end] for window in windows for end in ("start", "end")]
    return entries
