"""Tiles into Zarr while they are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions
from napari_tessera.writing.strategies.source_arrays import SourceArray, output_location


class WriteTilesZarr:
    """A write strategy that writes each Zarr chunk once, when its last pixel came.

    With a ``store_path`` one run of the pipeline goes into one OME-Zarr 0.5 image: array ``0`` of
    the region's shape, axes in OME's order, S and T as one axis T, with a ledger of the tiles that
    are done, so that a stopped or killed run is resumed.

    Without, each image goes into an array of its whole shape and own axis order below the
    ``dirpath`` that `write_batch` is given, in a store named after the image's:
    ``in.zarr/group/array`` → ``dirpath/in_output.zarr/group/array``. Nothing but `write_batch`
    need be called, if all tiles of an image come; `flush` or `close` writes what is begun.

    `open` and `close` may be called from another thread than `write_batch` and `flush`, not at
    the same time.

    Parameters
    ----------
    store_path : path-like, optional
        Folder of the OME-Zarr image; usually ``NAME.ome.zarr``.
    overwrite : bool, default False
        Replace what is there: a Zarr store, or (without ``store_path``) arrays. Nothing else is
        ever deleted.
    chunks : sequence of int, optional
        Chunk sizes along the last axes on disk, others get 1. Default: see `choose_chunking`.
    memory_limit : int, default 512 MiB
        Bytes of begun chunks to keep in memory, for each image.
    """

    def __init__(
        self,
        store_path: str | PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        chunks: Sequence[int] | None = None,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
    ) -> None:
        self.store_path = None if store_path is None else Path(store_path)
        self.overwrite = overwrite
        self.chunks = None if chunks is None else tuple(int(length) for length in chunks)
        self.memory_limit = memory_limit
        self._dtype: np.dtype[Any] = np.dtype(np.float32)
        self._origins: tuple[Path, ...] = ()
        self._image: OmeImageRun | None = None
        self._arrays: dict[tuple[Path, str, int], SourceArray] = {}

    @property
    def array(self) -> zarr.Array[Any]:
        """Array of the OME-Zarr image that is open; its axes are in the order on disk.

        Raises
        ------
        ValueError
            If none is open.
        """
        if self._image is None:
            raise ValueError("no OME-Zarr image is open: give a store_path and open a run")
        return self._image.array

    def open(self, run: RunInfo) -> None:
        """Make the store of a run, or reopen that of the same run where ``run.resume``.

        Raises
        ------
        FileExistsError
            If something is there and neither ``run.resume`` nor ``overwrite`` allows for it, or
            it is no Zarr store.
        FileNotFoundError, NotADirectoryError, PermissionError
            If the folder of the store is missing, no folder, or read-only.
        ValueError
            If the run to resume is another one (saying what differs), the store holds the input,
            or the chunks do not fit.
        OSError
            Whatever writing raises.
        """
        self._dtype = run.output_dtype
        self._origins = run.origins
        if self.store_path is not None:
            self._image = OmeImageRun(
                self.store_path,
                run,
                overwrite=self.overwrite,
                options=ImageOptions(chunks=self.chunks),
                memory_limit=self.memory_limit,
            )

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Take tiles in any order: cores, or whole tiles that are cropped here.

        Parameters
        ----------
        dirpath : pathlib.Path
            Folder for the stores, where there is no ``store_path``.
        predictions : list of ImageRegionData
            Tiles of one or several images; of the open run's image with ``store_path``.

        Raises
        ------
        ValueError
            If a prediction is no tile of the image, no run is open, or an image would be written
            over.
        OSError
            Whatever writing raises; nothing is then entered in the ledger that is not on disk.
        """
        if self.store_path is None:
            for prediction in predictions:
                self._source_array(Path(dirpath), prediction).add(prediction)
        elif self._image is None:
            raise ValueError(
                f"no run is open for {self.store_path}: call open(run) first, or leave "
                "store_path out"
            )
        else:
            self._image.add(predictions)

    def _source_array(self, dirpath: Path, prediction: ImageRegionData) -> SourceArray:
        store, path = output_location(dirpath, prediction.source)
        key = (store, path, int(prediction.region_spec["data_idx"]))
        if key not in self._arrays:
            if dirpath.is_dir():
                check_place(store, (prediction.source, *self._origins))
            taken = any(known[:2] == key[:2] for known in self._arrays)
            self._arrays[key] = SourceArray(
                dirpath,
                prediction,
                dtype=self._dtype,
                overwrite=self.overwrite and not taken,
                chunks=self.chunks,
                memory_limit=self.memory_limit,
            )
        return self._arrays[key]

    def flush(self) -> None:
        """Write all chunks that are begun. They are read back when more of them comes."""
        if self._image is not None:
            self._image.flush()
        for array in self._arrays.values():
            array.flush()

    def close(self, completed: bool) -> None:
        """Write what is held and end the run.

        After a failed write too: what the disk takes now need not be predicted again.

        Parameters
        ----------
        completed : bool
            Whether all tiles came. The store says so only if its ledger does.

        Raises
        ------
        OSError
            Whatever writing raises. The ledger is true all the same.
        """
        image, arrays = self._image, self._arrays
        self._image, self._arrays = None, {}
        for array in arrays.values():
            array.flush()
        if image is not None:
            image.close(completed)
