"""A result that waits on disk for the file that is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore

from napari_tessera.layout import Layout
from napari_tessera.region import Region
from napari_tessera.writing.convert import fill_value
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.stored.tile_sink import TileSink

PLANE_CHUNK = 512
"""Pixels along Y and X of a chunk, 1 along the others: files are written plane by plane."""


class ScratchTiles:
    """A write strategy that puts tiles into a plain Zarr array of a region's axes and shape.

    No pyramid, no metadata and no ledger: who made the folder removes it.

    Parameters
    ----------
    folder : pathlib.Path
        An empty folder.
    layout : Layout
        The image, what is folded, and its output.
    region : Region
        Part of the output that the array holds.
    dtype : numpy.dtype
        Data type of the array.
    """

    def __init__(self, folder: Path, layout: Layout, region: Region, dtype: np.dtype[Any]) -> None:
        shape = region.selected_shape
        self.array: zarr.Array[Any] = zarr.create_array(
            LocalStore(folder),
            shape=shape,
            chunks=tuple(
                min(size, PLANE_CHUNK) if letter in "YX" else 1
                for letter, size in zip(region.axes, shape, strict=True)
            ),
            dtype=dtype,
            compressors=BloscCodec(cname="lz4", shuffle="bitshuffle"),
            fill_value=fill_value(dtype),
        )
        self._sink = TileSink(self.array, layout, region)

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Take tiles; ``dirpath`` has no meaning here."""
        for prediction in predictions:
            self._sink.add(prediction, prediction.additional_metadata["tile_index"])
        self._sink.take_durable()

    def close(self, completed: bool) -> None:
        """Write what is held, where the result will be read."""
        if completed:
            self._sink.flush()
