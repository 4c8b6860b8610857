"""A result that waits on disk for the file that is made of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.codecs import BloscCodec

from napari_tessera.layout import Layout
from napari_tessera.region import Region
from napari_tessera.writing.convert import fill_value
from napari_tessera.writing.places.lock import lock_store
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.coming import coming_into
from napari_tessera.writing.stored.tile_sink import TileSink

PLANE_CHUNK = 512
"""Pixels along Y and X of a chunk, 1 along the others: files are written plane by plane."""


@contextmanager
def scratch_store(file: Path) -> Iterator[Store]:
    """Open an empty Zarr store in a hidden folder beside a file, and remove it at the end.

    What an earlier run left that was killed is removed first.

    Raises
    ------
    StoreBusyError
        If another run makes this file.
    OSError
        If there is no space left, or the folder cannot be written to; it is removed then too.
    """
    folder = file.with_name(f".{file.name}.scratch")
    target = Target(folder, str(file), "zarr", folder)
    with lock_store(target):
        if folder.exists():
            shutil.rmtree(folder)
        try:
            yield target.open_store()
        except StoreError as error:
            if not error.full:
                raise
            raise StoreError(
                f"no space left for {file}, whose tiles wait beside it until all are predicted: "
                "make room, or choose .ome.zarr, which goes on where it was",
                error,
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class ScratchTiles:
    """A write strategy that puts tiles into a plain Zarr array of a region's axes and shape.

    No pyramid, no metadata and no ledger: who made the store removes it.

    Parameters
    ----------
    store : zarr.abc.store.Store
        An empty store.
    layout : Layout
        The image, what is folded, and its output.
    region : Region
        Part of the output that the array holds.
    dtype : numpy.dtype
        Data type of the array.
    """

    def __init__(self, store: Store, layout: Layout, region: Region, dtype: np.dtype[Any]) -> None:
        shape = region.selected_shape
        self.array: zarr.Array[Any] = zarr.create_array(
            store,
            shape=shape,
            chunks=tuple(
                min(size, PLANE_CHUNK) if letter in "YX" else 1
                for letter, size in zip(region.axes, shape, strict=True)
            ),
            dtype=dtype,
            compressors=BloscCodec(cname="lz4", shuffle="bitshuffle"),
            fill_value=fill_value(dtype),
        )
        self._layout, self._region = layout, region
        self._sink = TileSink(self.array, layout, region)
        self.clipped_pixels = 0
        """Number of pixels clipped to the array's data type, in what is durable."""

    def open(self, run: RunInfo) -> None:
        """Learn which tiles are skipped, so that no chunk waits for them."""
        coverage = coming_into(run, self._region)
        self._sink = TileSink(self.array, self._layout, self._region, coverage=coverage)

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Take tiles; ``dirpath`` has no meaning here."""
        for prediction in predictions:
            self._sink.add(prediction, prediction.additional_metadata["tile_index"])
        self._count()

    def close(self, completed: bool) -> None:
        """Write what is held, where the result will be read."""
        if completed:
            self._sink.flush()
            self._count()

    def _count(self) -> None:
        self.clipped_pixels += sum(self._sink.take_durable().values())
