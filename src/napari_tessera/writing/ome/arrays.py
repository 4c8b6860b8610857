"""The arrays that hold pixels: Zarr 3 for OME-Zarr 0.5, Zarr 2 for 0.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numcodecs
import numpy as np
import zarr
from numpy.typing import DTypeLike
from zarr.codecs import BloscCodec, GzipCodec

from napari_tessera.writing.convert import fill_value

Compression = Literal["zstd", "lz4", "gzip", "none"]

COMPRESSIONS: tuple[Compression, ...] = ("zstd", "lz4", "gzip", "none")
"""How chunks are packed, the default first: zstd and lz4 in Blosc, after a shuffle of bits."""

_BLOSC_LEVEL = 3
_GZIP_LEVEL = 5


def check_compression(compression: str) -> Compression:
    """The compression, if it is one that is written; else ValueError."""
    for known in COMPRESSIONS:
        if compression == known:
            return known
    raise ValueError(
        f"compression {compression!r} is unknown: use one of {', '.join(COMPRESSIONS)}"
    )


def create_pixel_array(
    group: zarr.Group,
    name: str,
    *,
    axes: str,
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: DTypeLike,
    shards: Sequence[int] | None = None,
    compression: Compression = "zstd",
    overwrite: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> zarr.Array[Any]:
    """Create an array for predictions, in the Zarr version of its group.

    It holds NaN (float types) or 0 (integer ones) where nothing was written. Chunks that happen to
    be all NaN or 0 are written too: an absent chunk means "not predicted". Keys of chunks have
    slashes in either version, as OME-Zarr wants it.

    Parameters
    ----------
    group : zarr.Group
        Group that it goes into.
    name : str
        Its name there.
    axes : str
        Its axes, for the names of its dimensions (Zarr 3).
    shape, chunks : sequence of int
        Along each axis.
    dtype : dtype-like
        A float or integer type.
    shards : sequence of int, optional
        Along each axis, multiples of the chunks; Zarr 3 only.
    compression : {"zstd", "lz4", "gzip", "none"}
        How chunks are packed.
    overwrite : bool, default False
        Replace an array of that name.
    attributes : mapping, optional
        Attributes that it is made with.
    """
    version = group.metadata.zarr_format
    return group.create_array(
        name,
        shape=tuple(int(size) for size in shape),
        chunks=tuple(int(length) for length in chunks),
        shards=None if shards is None else tuple(int(length) for length in shards),
        dtype=np.dtype(dtype),
        compressors=_compressor(compression, version),
        fill_value=fill_value(dtype),
        dimension_names=[letter.lower() for letter in axes] if version == 3 else None,
        chunk_key_encoding={"name": "v2" if version == 2 else "default", "separator": "/"},
        overwrite=overwrite,
        attributes=None if attributes is None else dict(attributes),
        config={"write_empty_chunks": True},
    )


def open_pixel_array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Open an array that `create_pixel_array` made, to write to it."""
    found = zarr.open_array(
        store=group.store,
        path=f"{group.path}/{name}".lstrip("/"),
        mode="r+",
        zarr_format=group.metadata.zarr_format,
    )
    # open_array takes it from zarr's settings alone, which are those of all threads
    config: Any = {"write_empty_chunks": True}
    return zarr.Array(
        zarr.AsyncArray(metadata=found.metadata, store_path=found.store_path, config=config)
    )


def _compressor(compression: Compression, zarr_format: int) -> Any:
    if compression == "none":
        return None
    if zarr_format == 2:
        if compression == "gzip":
            return numcodecs.GZip(_GZIP_LEVEL)
        return numcodecs.Blosc(compression, _BLOSC_LEVEL, numcodecs.Blosc.BITSHUFFLE)
    if compression == "gzip":
        return GzipCodec(level=_GZIP_LEVEL)
    return BloscCodec(cname=compression, clevel=_BLOSC_LEVEL, shuffle="bitshuffle")
