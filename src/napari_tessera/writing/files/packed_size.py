"""How many bytes pixels take as they are stored, without storing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.storage import MemoryStore

from napari_tessera.writing.chunks.encoding import ChunkEncoder
from napari_tessera.writing.files.formats import OME_TIFF, OME_ZARR, FileFormat
from napari_tessera.writing.files.ome_tiff import codec_options
from napari_tessera.writing.ome.arrays import check_compression, create_pixel_array
from napari_tessera.writing.ome.metadata import check_version, zarr_format


class PackedSize:
    """Takes pixels, packs as many together as one chunk holds, and counts the bytes.

    How well a codec packs depends on how much it is given at once, and on what lies beside what
    along the last axis; so rows of pixels are put one below the other until they fill a chunk.

    Parameters
    ----------
    form : FileFormat
        The format.
    compression : str
        One of the format's compressions.
    chunks : sequence of int
        Shape of a chunk (of a TIFF: of a tile).
    dtype : dtype-like
        As stored.
    ome_version : {"0.5", "0.4"}
        Of OME-Zarr.

    Attributes
    ----------
    pixel_bytes, packed_bytes : int
        Of what was packed so far, before and after.
    """

    def __init__(
        self,
        form: FileFormat,
        compression: str,
        chunks: Sequence[int],
        dtype: DTypeLike,
        ome_version: str = "0.5",
    ) -> None:
        self._dtype = form.stored_dtype(dtype)
        self._chunks = tuple(int(length) for length in chunks)
        self._length = self._packer(form, compression, ome_version)
        self._waiting = np.empty(0, self._dtype)
        self.pixel_bytes = self.packed_bytes = 0

    def add(self, pixels: NDArray[Any]) -> None:
        """Take pixels, of any shape, in the data type of the run's output."""
        new = pixels.astype(self._dtype, copy=False).ravel()
        self._waiting = np.concatenate((self._waiting, new)) if self._waiting.size else new
        n = prod(self._chunks)
        while self._waiting.size >= n:
            self._pack(self._waiting[:n])
            self._waiting = self._waiting[n:]

    def finish(self) -> None:
        """Pack what is left, in a chunk that is filled in part only."""
        if self._waiting.size:
            self._pack(self._waiting)
            self._waiting = self._waiting[:0]

    def _pack(self, pixels: NDArray[Any]) -> None:
        whole = np.zeros(self._chunks, self._dtype)
        whole.reshape(-1)[: pixels.size] = pixels
        self.pixel_bytes += pixels.nbytes
        self.packed_bytes += min(pixels.nbytes, self._length(whole))

    def _packer(
        self, form: FileFormat, compression: str, ome_version: str
    ) -> Callable[[NDArray[Any]], int]:
        if form is OME_ZARR and compression != "none":
            return self._zarr(compression, ome_version)
        if form is OME_TIFF and compression != "none":
            return lambda tile: _tiff_bytes(tile, compression)
        return lambda whole: int(whole.nbytes)

    def _zarr(self, compression: str, ome_version: str) -> Callable[[NDArray[Any]], int]:
        group = zarr.create_group(
            MemoryStore(), zarr_format=zarr_format(check_version(ome_version))
        )
        array = create_pixel_array(
            group,
            "0",
            axes="TCZYX"[-len(self._chunks) :],
            shape=self._chunks,
            chunks=self._chunks,
            dtype=self._dtype,
            compression=check_compression(compression),
        )
        encoder = ChunkEncoder.of(array)
        assert encoder is not None, "arrays are made with codecs that are known"
        return lambda whole: sum(memoryview(part).nbytes for part in encoder.parts(whole))


def _tiff_bytes(tile: NDArray[Any], compression: str) -> int:
    """Bytes of a tile in a TIFF, less those that the file has beside it."""
    plain = _tiff_length(tile, {}) - tile.nbytes
    return _tiff_length(tile, codec_options(compression, tile.dtype)) - plain


def _tiff_length(tile: NDArray[Any], options: dict[str, Any]) -> int:
    file = BytesIO()
    rows = tile.shape[-2]
    tifffile.imwrite(
        file,
        tile.reshape(tile.shape[-2:]),
        metadata=None,
        photometric="minisblack",
        rowsperstrip=rows,
        **options,
    )
    return file.tell()
