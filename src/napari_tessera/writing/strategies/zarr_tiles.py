"""Tiles into Zarr while they are predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import DTypeLike
from zarr.abc.store import Store

from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.convert import resolve_output_dtype
from napari_tessera.writing.ome.arrays import check_compression
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.lock import lock_store
from napari_tessera.writing.places.target import Target, zarr_target
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions
from napari_tessera.writing.stored.stored_run import StoredRun
from napari_tessera.writing.stored.targets import check_store
from napari_tessera.writing.strategies.array_job import ArrayJob
from napari_tessera.writing.strategies.array_node import read_array_run
from napari_tessera.writing.strategies.array_places import ArrayPlaces
from napari_tessera.writing.strategies.source_arrays import SourceArrays


class WriteTilesZarr:
    """A write strategy that writes each Zarr chunk once, when its last pixel came.

    With a ``store_path`` one run of the pipeline goes into one OME-Zarr image: levels of the
    region's shape, axes in OME's order, S and T as one axis T, with a ledger of the tiles that
    are done, so that a stopped or killed run is resumed.

    Without, each image goes into an array of its whole shape and own axis order below the
    ``dirpath`` that `write_batch` is given, in a store named after the image's:
    ``in.zarr/group/array`` → ``dirpath/in_output.zarr/group/array``; images of other kinds
    into an array ``0``. Two images never share an array: the second of a name gets the number of
    its stack behind it, and of several runs over arrays in memory each the next number. Nor does
    one replace the array of an image from elsewhere. Chunks and shards are the image's where they
    serve. Integer types have a second array ``NAME_done`` beside them, 1 where something is. The
    channels that a run leaves out are copied from the image. Nothing but `write_batch` need be
    called, if all tiles of an image come; `flush` or `close` writes what is begun. A run that was
    opened is resumed as well, by a ledger of each array's own.

    `open` and `close` may be called from another thread than `write_batch` and `flush`, not at
    the same time.

    Parameters
    ----------
    store_path : str, path-like, zarr store or Target, optional
        Place of the OME-Zarr image; usually a folder ``NAME.ome.zarr``.
    dtype : dtype-like, optional
        Data type that is written; ``"same"`` for the image's own, rounded and clipped. Default:
        the run's, else float32.
    overwrite : bool, default False
        Replace what is there: a Zarr store, or (without ``store_path``) arrays. Nothing else is
        ever deleted.
    chunks : int or sequence of int, optional
        Chunk sizes along the last axes on disk, or one for Y and X; others get 1. Default: see
        `choose_chunking`.
    compression : {"zstd", "lz4", "gzip", "none"}, default "zstd"
        How chunks are packed: zstd and lz4 in Blosc, after a shuffle of bits.
    ome_version : {"0.5", "0.4"}, default "0.5"
        With ``store_path``: version of OME-Zarr.
    pyramid : bool, default True
        With ``store_path``: write smaller levels as well.
    copy_channels : bool, default False
        With ``store_path``: copy the channels that a run leaves out.
    memory_limit : int, default 512 MiB
        Bytes of begun chunks to keep in memory, for each image.
    source_base : path-like, optional
        Without ``store_path``: common parent of the images; their folders below it are kept (see
        `common_source_base`). Default: that of ``sources``.
    sources : iterable of str or pathlib.Path, optional
        Without ``store_path``: all images that come, in runs of this strategy or of others. Their
        arrays are then in the same places in whatever order they come.

    Raises
    ------
    ValueError
        If there is no such data type or compression.
    """

    def __init__(
        self,
        store_path: str | PathLike[str] | Store | Target | None = None,
        *,
        dtype: DTypeLike | None = None,
        overwrite: bool = False,
        chunks: int | Sequence[int] | None = None,
        compression: str = "zstd",
        ome_version: str = "0.5",
        pyramid: bool = True,
        copy_channels: bool = False,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
        source_base: str | Path | None = None,
        sources: Iterable[str | Path] = (),
    ) -> None:
        self.store_path = store_path
        self.overwrite = overwrite
        both = (chunks, chunks) if isinstance(chunks, int) else chunks
        self.chunks = None if both is None else tuple(int(length) for length in both)
        self.memory_limit = memory_limit
        if dtype is not None:
            resolve_output_dtype(dtype, np.float32)
        self._dtype = dtype
        self._options: dict[str, Any] = {
            "ome_version": ome_version,
            "compression": compression,
            "chunks": self.chunks,
            "pyramid": pyramid,
            "copy_channels": copy_channels,
        }
        self._image: OmeImageRun | None = None
        self._places = ArrayPlaces(source_base, sources)
        self._arrays = SourceArrays(
            self._places,
            overwrite=overwrite,
            chunks=chunks if isinstance(chunks, int) else self.chunks,
            compression=check_compression(compression),
            memory_limit=memory_limit,
        )
        self._run: RunInfo | None = None

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

    def set_source_base(self, source_base: str | Path | None) -> None:
        """Set the common parent of the images that come; None for no folders."""
        self._places.source_base = None if source_base is None else Path(source_base)

    def stored_run(
        self, dirpath: str | Path, source: str | Path, data_idx: int = 0
    ) -> StoredRun | None:
        """What there is of an image's array, to go on with.

        Give the tiles that are done to the `Schedule` of the run that is resumed.

        Parameters
        ----------
        dirpath : path-like
            Folder that `write_batch` would be given.
        source : str or pathlib.Path
            Where the image comes from.
        data_idx : int, default 0
            Number of its stack; of an image that has no name that of its run.

        Returns
        -------
        StoredRun or None
            None where there is no array, or none that a run wrote over this image.
        """
        place = self._places.place_of(Path(dirpath), source, data_idx)
        return read_array_run(place, str(source))

    def check(self, run: RunInfo) -> None:
        """Raise what `open` would, as far as looking tells; nothing is made or deleted."""
        if self.store_path is not None:
            target = zarr_target(self.store_path)
            check_place(target, (run.source, *run.origins))
            # what is not local takes longer to lock than to look at
            with lock_store(target) if target.path is not None else nullcontext():
                check_store(target, resume=run.resume, overwrite=self.overwrite)
        elif run.dirpath is not None:
            self._arrays.check(run.dirpath, ArrayJob.of_run(self._as_written(run)))

    def open(self, run: RunInfo) -> None:
        """Make the store, or the array, of a run, or reopen that of the same run to resume it.

        Raises
        ------
        FileExistsError
            If something is there and neither ``run.resume`` nor ``overwrite`` allows for it, it
            is no Zarr store, or the array of another image.
        FileNotFoundError, NotADirectoryError, PermissionError
            If the folder of the store is missing, no folder, or read-only.
        StoreBusyError
            If another run writes to the store.
        ValueError
            If the run to resume is another one (saying what differs), the store holds the input,
            or the chunks do not fit.
        OSError
            Whatever writing raises.
        """
        self._run = self._as_written(run)
        if self.store_path is not None:
            self._image = OmeImageRun(
                self.store_path,
                self._run,
                overwrite=self.overwrite,
                memory_limit=self.memory_limit,
                options=ImageOptions(**self._options),
            )
        elif run.dirpath is not None:
            self._arrays.begin_run(run.dirpath, ArrayJob.of_run(self._run))

    def _as_written(self, run: RunInfo) -> RunInfo:
        """The run with the data type that is written."""
        if self._dtype is None:
            return run
        dtype = resolve_output_dtype(self._dtype, run.input_dtype or run.output_dtype)
        return replace(run, output_dtype=dtype)

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Take tiles in any order: cores, or whole tiles that are cropped here.

        Parameters
        ----------
        dirpath : pathlib.Path
            Folder for the stores, where there is no ``store_path``; made where missing.
        predictions : list of ImageRegionData
            Tiles of one or several images; of the open run's image with ``store_path``.

        Raises
        ------
        FileExistsError
            If an array is there and ``overwrite`` is False.
        ValueError
            If a prediction is no tile of the image, came before or is one more than were expected,
            no run is open, or an image would be written over.
        OSError
            Whatever writing raises; nothing is then entered in the ledger that is not on disk.
        """
        if self.store_path is None:
            for prediction in predictions:
                self._arrays.add(Path(dirpath), prediction, self._job_of)
        elif self._image is None:
            raise ValueError(
                f"no run is open for {self.store_path}: call open(run) first, or leave "
                "store_path out"
            )
        else:
            self._image.add(predictions)

    def _job_of(self, tile: ImageRegionData) -> ArrayJob:
        """The job of the array for an image that no array was made for yet."""
        if self._run is not None and self._run.source == str(tile.source):
            return ArrayJob.of_run(self._run)
        wanted = np.float32 if self._dtype is None else self._dtype
        return ArrayJob.of_tile(tile, resolve_output_dtype(wanted, tile.dtype))

    def flush(self) -> None:
        """Write all chunks that are begun. They are read back when more of them comes."""
        if self._image is not None:
            self._image.flush()
        self._arrays.flush()

    def close(self, completed: bool) -> None:
        """Write what is held and end the run.

        After a failed write too: what the disk takes now need not be predicted again.

        Parameters
        ----------
        completed : bool
            Whether all tiles came. What is stored says so only if its ledger does.

        Raises
        ------
        ValueError
            Without ``store_path``, if all tiles are said to have come, and some did not.
        OSError
            Whatever writing raises. The ledger is true all the same.
        """
        image, self._image, self._run = self._image, None, None
        try:
            self._arrays.close(completed)
        finally:
            if image is not None:
                image.close(completed)
