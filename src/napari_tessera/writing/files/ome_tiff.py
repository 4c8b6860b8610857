"""OME-TIFF files: tiled, compressed, with a pyramid."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.units import unit_symbol
from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.chunks.halves import halved, plane_levels
from napari_tessera.writing.files.formats import OME_TIFF
from napari_tessera.writing.files.partial import complete_file
from napari_tessera.writing.files.pixels import BLOCK_LIMIT, OrderedPixels, blocks_of
from napari_tessera.writing.files.spool import Spool
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata
from napari_tessera.writing.ome.plain_text import plain_text
from napari_tessera.writing.places.lock import StoreLock

CLASSIC_LIMIT = 2**32 - 2**26
"""Bytes that a classic TIFF with its metadata can hold; above it is a BigTIFF."""

NAMESPACE = "napari-tessera/run"
"""Of the annotation that says what made an image."""

_TILE_UNIT = 16
"""TIFF's tiles are multiples of this."""
_ZLIB_LEVEL = 1
"""Measured on denoised images: float32 no larger than at level 6 and 1.4 times as fast, uint16 5 %
larger and 7 times as fast."""
_PAGE_BYTES = 512
"""Bytes of a plane's directory, generously."""
_TILE_BYTES = 32
"""Bytes of a tile's place in it, and that a packed tile of noise is longer by."""
_LZW_GROWTH = 1.5
"""How much longer LZW makes noise: at most 12 bits for each 8."""
_PIXEL = "pixel"
"""OME's unit of lengths that are known in no other."""
_HORIZONTAL = 2
"""The predictor of integers: differences of neighbours pack better, and all programs know it."""


def write_ome_tiff(
    file_path: str | PathLike[str],
    img: ArrayLike,
    *,
    axes: str,
    metadata: ImageMetadata | None = None,
    made_by: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    compression: str = "zlib",
    tile: tuple[int, int] = (512, 512),
    pyramid: bool = True,
    memory_limit: int = BLOCK_LIMIT,
    lock: StoreLock | None = None,
) -> Path:
    """Write an image as OME-TIFF, tiled and compressed, which Bio-Formats, QuPath and napari open.

    The planes lie in the order T, Z, C. OME knows no samples: S and T become one axis T, S-major.
    NaN is kept. float16, which OME lacks, is written as float32. Beyond 4 GB it is a BigTIFF. The
    image is read a block at a time, and the file appears under its name when it is complete.

    Parameters
    ----------
    file_path : str or path-like
        File to write.
    img : array-like
        The image, float or integer: a NumPy array, or anything that has a shape and a data type
        and gives pixels of slices.
    axes : str
        Its axes, letters out of ``STCZYX``.
    metadata : ImageMetadata, optional
        Pixel sizes, units and channel names; of these axes or others. TIFF keeps no translation.
    made_by : mapping, optional
        What made the image: stands in a map annotation of the namespace `NAMESPACE`, values that
        are no text as JSON.
    overwrite : bool, default False
        Replace a file that is there.
    compression : str, default "zlib"
        ``"zlib"``, ``"lzw"`` or ``"none"``. Nothing is lost with any.
    tile : tuple of int, optional
        Height and width of tiles, multiples of 16; less where the image is smaller.
    pyramid : bool, default True
        Write smaller levels too, each half as high and wide (see `downsample`), as long as one is
        larger than 512 pixels. They lie in SubIFDs of each plane, as OME-TIFF says.
    memory_limit : int, optional
        Bytes of pixels to read at a time; one row of tiles at least.
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
        If the axes do not describe the image, a setting does not fit, or OME-TIFF has no such data
        type.
    OSError
        Whatever reading or writing raises; no file is left then.
    """
    target = Path(file_path)
    planes = OmeOrder(axes, tuple(img.shape)).plane_axes
    pixels = OrderedPixels(img, axes, planes)
    dtype = OME_TIFF.stored_dtype(pixels.dtype)
    *outer, height, width = pixels.shape
    tile = _tile(tile, height, width)
    codec = OME_TIFF.compression(compression)
    region = Region.from_selection(axes, img.shape)
    meta = disk_metadata((metadata or ImageMetadata(axes)).with_axes(axes), region)
    levels = plane_levels(height, width) if pyramid else []
    sizes = [(height, width), *levels]
    nbytes = prod(outer) * sum(_most_bytes(size, tile, dtype.itemsize, codec) for size in sizes)
    options: dict[str, Any] = {
        "dtype": dtype,
        "tile": tile,
        "photometric": "minisblack",
        **codec_options(codec, dtype),
    }
    with (
        complete_file(target, overwrite=overwrite, nbytes=nbytes, lock=lock) as partial,
        ExitStack() as spools,
        tifffile.TiffWriter(partial, bigtiff=nbytes > CLASSIC_LIMIT, ome=True) as tiff,
    ):
        bands, spool = _bands(pixels, dtype, tile[0], memory_limit), None
        for number, (rows, columns) in enumerate(sizes):
            below = None
            if number < len(levels):
                below = spools.enter_context(Spool(target.parent, dtype))
            tiff.write(
                _tiles(bands, tile, below),
                shape=(*outer, rows, columns),
                subifds=len(levels) if levels and not number else None,
                subfiletype=1 if number else 0,
                metadata=None if number else _ome_entries(meta, planes, target.name, made_by),
                **options,
            )
            if spool is not None:
                spool.close()
            if below is not None:
                spool = below
                bands = below.bands(prod(outer), halved(rows), halved(columns), tile[0])
    return target


def codec_options(codec: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    """What tifffile is told of a compression: one of the format's, for pixels of a type."""
    return {
        "compression": None if codec == "none" else codec,
        "compressionargs": {"level": _ZLIB_LEVEL} if codec == "zlib" else None,
        "predictor": _HORIZONTAL if codec != "none" and dtype.kind in "iu" else None,
    }


def _tile(wanted: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """Tile shape, no larger than the image needs."""
    if any(size < _TILE_UNIT or size % _TILE_UNIT for size in wanted):
        raise ValueError(f"tile {wanted}: give height and width, multiples of {_TILE_UNIT}")
    needed = (-(-size // _TILE_UNIT) * _TILE_UNIT for size in (height, width))
    rows, columns = (min(pair) for pair in zip(wanted, needed, strict=True))
    return int(rows), int(columns)


def _most_bytes(plane: tuple[int, int], tile: tuple[int, int], itemsize: int, codec: str) -> int:
    """Bytes that a plane takes in the file at most: tiles are whole at the far edges too."""
    counts = [-(-size // length) for size, length in zip(plane, tile, strict=True)]
    pixels = prod(counts) * prod(tile) * itemsize
    packed = int(pixels * _LZW_GROWTH) if codec == "lzw" else pixels
    return packed + prod(counts) * _TILE_BYTES + _PAGE_BYTES


def _bands(
    pixels: OrderedPixels, dtype: np.dtype[Any], rows: int, limit: int
) -> Iterator[NDArray[Any]]:
    """Each plane in bands of one row of tiles."""
    for block in blocks_of(pixels, rows=rows, limit=limit):
        height = block.shape[-2]
        for plane in block.astype(dtype, copy=False).reshape(-1, *block.shape[-2:]):
            for top in range(0, height, rows):
                yield plane[top : top + rows]


def _tiles(
    bands: Iterator[NDArray[Any]], tile: tuple[int, int], below: Spool | None
) -> Iterator[NDArray[Any]]:
    """Tiles in the order of the file; their halves go to the next level's spool."""
    for band in bands:
        lefts = range(0, band.shape[1], tile[1])
        if below is not None:
            # before they are written: after the last tile nobody comes back here. A tile begins at
            # an even pixel, so that its halves are its own
            halves = [downsample(band[:, left : left + tile[1]], (2, 2)) for left in lefts]
            below.append(np.concatenate(halves, axis=1))
        for left in lefts:
            yield band[:, left : left + tile[1]]


def _ome_entries(
    metadata: ImageMetadata, planes: str, name: str, made_by: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What tifffile makes the OME-XML of: order, name, pixel sizes, channel names, annotation."""
    entries: dict[str, Any] = {"axes": planes, "Name": plain_text(name)}
    for letter in metadata.axes:
        scale, unit, _ = metadata.along(letter)
        symbol = unit_symbol(letter, unit)
        if symbol is None and letter in "ZYX" and scale != 1:
            # how long steps are to each other is known; without a unit OME would assume µm
            symbol = _PIXEL
        key = "TimeIncrement" if letter == "T" else f"PhysicalSize{letter}"
        if letter != "C" and symbol is not None and scale > 0:
            entries[key] = scale
            entries[f"{key}Unit"] = symbol
    channels: dict[str, list[Any]] = {}
    if metadata.channel_names:
        channels["Name"] = [plain_text(name) for name in metadata.channel_names]
    if metadata.channel_colors:
        channels["Color"] = [_ome_color(color) for color in metadata.channel_colors]
    if channels:
        entries["Channel"] = channels
    if made_by:
        texts = {
            key: plain_text(value if isinstance(value, str) else json.dumps(value))
            for key, value in made_by.items()
        }
        entries["MapAnnotation"] = {"Namespace": NAMESPACE, **texts}
    return entries


def _ome_color(color: str) -> int:
    """Six hexadecimal digits as OME's colour: red, green, blue and alpha as one signed number."""
    return int.from_bytes(bytes.fromhex(f"{color}FF"), "big", signed=True)
