"""What strategies have in common that hold an image in memory and write it into a file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.convert import resolve_output_dtype
from napari_tessera.writing.places.checks import check_file, check_place
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.region_metadata import region_metadata
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.run_attributes import made_by
from napari_tessera.writing.stored.targets import check_store
from napari_tessera.writing.strategies.file_names import FileNames, ImageKey, RunNumbers
from napari_tessera.writing.strategies.held_image import HeldImage
from napari_tessera.writing.strategies.write_func import FileWriter, WriteFunc


class ImageFiles(ABC):
    """Holds each image until it is whole, then writes it into a file of its own.

    Images are told apart by their ``data_idx`` and source, and may come mixed. Those that have no
    name, as arrays in memory, are counted through all runs of a strategy. A run that is opened
    says which part of its image is wanted and in which data type; without, a file holds the whole
    image in the type that predictions have.

    Parameters
    ----------
    write_func : callable
        Called as ``write_func(file_path=…, img=…, **write_func_kwargs)`` with a
        `pathlib.Path` and a `numpy.ndarray` in the output's own axes (the image's, with C
        inserted where the model makes channels). Where its signature names ``axes`` (str),
        ``metadata`` (`ImageMetadata` or None), ``made_by`` (mapping or None) or ``overwrite``
        (bool), it gets these too.
    write_extension : str
        What file names end with, such as ``".ome.tif"``.
    write_func_kwargs : mapping, optional
        Further arguments of ``write_func``.
    dtype : dtype-like, optional
        Data type that is written; ``"same"`` for the image's own, rounded and clipped. Default:
        the run's, else what comes.
    overwrite : bool, default False
        Replace files that are there.
    source_base : path-like, optional
        Common parent of the images: their folders below it are kept (see `common_source_base`).
        Default: that of ``sources``.
    sources : iterable of str or pathlib.Path, optional
        All images that come, in runs of this strategy or of others: names are then the same in
        whatever order they come, and no file takes the place of another image's.

    Raises
    ------
    TypeError
        If ``write_func`` cannot be called so.
    ValueError
        If the extension is none, or there is no such data type.
    """

    def __init__(
        self,
        write_func: WriteFunc,
        write_extension: str,
        write_func_kwargs: Mapping[str, Any] | None = None,
        *,
        dtype: DTypeLike | None = None,
        overwrite: bool = False,
        source_base: str | Path | None = None,
        sources: Iterable[str | Path] = (),
    ) -> None:
        if "." not in write_extension or any(sign in write_extension for sign in "/\\"):
            raise ValueError(
                f"write_extension {write_extension!r} is no ending of a file: give it with its "
                "dot, as in '.tif'"
            )
        if dtype is not None:
            resolve_output_dtype(dtype, np.float32)
        self.write_func = write_func
        self.write_extension = write_extension
        self.write_func_kwargs = dict(write_func_kwargs or {})
        self.overwrite = overwrite
        self.clipped_pixels = 0
        """Number of pixels clipped to the data type, in the images written so far."""
        self._dtype = dtype
        self._writer = FileWriter(write_func, self.write_func_kwargs)
        self._names = FileNames(write_extension, source_base, sources)
        self._numbers = RunNumbers()
        self._run: RunInfo | None = None
        self._held: dict[ImageKey, tuple[HeldImage, Path]] = {}
        self._metadata: dict[ImageKey, ImageMetadata | None] = {}
        self._dirpaths: dict[ImageKey, Path] = {}
        self._finished: set[ImageKey] = set()

    @property
    def source_base(self) -> Path | None:
        """Common parent of the images, below which their folders are kept."""
        return self._names.source_base

    def set_source_base(self, source_base: str | Path | None) -> None:
        """Set the common parent of the images that come; None for no folders."""
        self._names.source_base = None if source_base is None else Path(source_base)

    def check(self, run: RunInfo) -> None:
        """Raise what hinders writing the file of a run; nothing is made or deleted.

        Raises
        ------
        FileExistsError
            If the file is there and ``overwrite`` is False, or something is that is no file (no
            Zarr store, where one is written): such a thing is never replaced.
        FileNotFoundError, NotADirectoryError, PermissionError
            If no folder can be made there.
        ValueError
            If the file would replace the input, tiles of an earlier run would be missing, or the
            format of a ``write_func`` that comes with this lacks the data type or compression.
        """
        done = sum(map(bool, run.done or b""))
        if done:
            raise ValueError(
                f"{type(self).__name__} holds {run.source} in memory, and {done} tiles of it are "
                "in another place already: start the run anew, or write Zarr, which is resumed"
            )
        self._writer.check(self._written_dtype(run.output_dtype, run.input_dtype))
        if run.dirpath is not None:
            # what an earlier run wrote has its name
            self._numbers.next_run()
            path = self._path_of(run.dirpath, (0, run.source))
            self._check(path, run.source, run.origins)

    def open(self, run: RunInfo) -> None:
        """Begin a run: what hinders writing its file is found here, before it is predicted.

        Raises
        ------
        FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError, ValueError
            See `check`.
        """
        self.check(run)
        self._forget()
        self._run = run

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Take predictions of one or several images; write each image whose last one came.

        Parameters
        ----------
        dirpath : pathlib.Path
            Folder for the files; made where missing, as are those below it.
        predictions : list of ImageRegionData
            In any order.

        Raises
        ------
        ValueError
            If more came of an image than were expected, one came twice or is of another image, or
            a file would replace the input.
        FileExistsError
            If a file is there and ``overwrite`` is False.
        Exception
            Whatever ``write_func`` raises. The image is kept for `flush` then.
        """
        for prediction in predictions:
            self._take(Path(dirpath), prediction)
        self.flush()

    def flush(self) -> None:
        """Write the images that are whole, and were not written as the attempt failed."""
        for key, (image, path) in list(self._held.items()):
            if not image.missing:
                self._write(key, image, path)

    def close(self, completed: bool) -> None:
        """End the run; images that are not whole are forgotten.

        Those that are whole and could not be written are tried once more.

        Raises
        ------
        ValueError
            If the run is said to be complete and tiles are missing.
        Exception
            Whatever ``write_func`` raises. The image is kept then, for `flush` or another `close`,
            until the next run is opened.
        """
        short: list[tuple[str | Path, int]] = []
        for key, (image, _) in list(self._held.items()):
            if image.missing:
                short.append((image.source, image.missing))
                self._drop(key)
        self.flush()
        self._forget()
        if completed and short:
            source, missing = short[0]
            raise ValueError(
                f"{missing} tiles of {source} did not come: no file was written for "
                f"{'it' if len(short) == 1 else f'{len(short)} images'}"
            )

    @abstractmethod
    def _as_tile(self, prediction: ImageRegionData) -> ImageRegionData:
        """The prediction as a tile of its image; ValueError for what the strategy does not take."""

    def _take(self, dirpath: Path, prediction: ImageRegionData) -> None:
        tile = self._as_tile(prediction)
        key = (int(tile.region_spec["data_idx"]), str(tile.source))
        if key in self._finished:
            raise ValueError(
                f"{tile.source}: more tiles came than expected, its file is written; call close() "
                "before another image of that name"
            )
        if key not in self._held:
            run = self._run_of(tile)
            path = self._path_of(dirpath, key)
            self._check(path, tile.source, () if run is None else run.origins)
            own = tile.data.dtype if run is None else run.output_dtype
            dtype = self._written_dtype(own, tile.dtype)
            self._writer.check(dtype)
            image = HeldImage(tile, dtype, None if run is None else run.region)
            self._held[key], self._dirpaths[key] = (image, path), dirpath
            known = tile.additional_metadata.get("metadata") if run is None else run.metadata
            self._metadata[key] = known if isinstance(known, ImageMetadata) else None
        self._held[key][0].take(tile)

    def _written_dtype(self, own: DTypeLike, input_dtype: DTypeLike) -> np.dtype[Any]:
        """Data type that is written, out of what a run or its tiles have."""
        wanted = own if self._dtype is None else self._dtype
        return resolve_output_dtype(wanted, input_dtype or own)

    def _path_of(self, dirpath: Path, key: ImageKey) -> Path:
        number = self._numbers.number_of(dirpath, key[1], key[0])
        return self._names.path_of(dirpath, key[1], number)

    def _run_of(self, tile: ImageRegionData) -> RunInfo | None:
        return self._run if self._run is not None and str(tile.source) == self._run.source else None

    def _check(self, path: Path, source: str | Path, origins: Iterable[Path]) -> None:
        """Raise unless a file can be written, or replaced as asked; its folders may be missing."""
        folder = path
        while not folder.parent.exists():
            folder = folder.parent
        check_place(folder, (source, *origins))
        if os.path.lexists(path) and not self.overwrite:
            raise FileExistsError(
                f"{path} exists: choose another folder, delete it, or give overwrite=True"
            )
        if path.name.lower().endswith((".zarr", ".zarr.zip")):
            check_store(path, overwrite=self.overwrite)
        else:
            check_file(path, overwrite=self.overwrite)

    def _write(self, key: ImageKey, image: HeldImage, path: Path) -> None:
        self._check(path, image.source, () if self._run is None else self._run.origins)
        metadata = self._metadata[key]
        self._writer.write(
            path,
            image.array,
            axes=image.region.axes,
            metadata=None if metadata is None else region_metadata(metadata, image.region),
            made_by=self._made_by(key, image),
            overwrite=self.overwrite,
        )
        self.clipped_pixels += image.clipped_pixels
        dirpath = self._dirpaths[key]
        number = self._numbers.number_of(dirpath, key[1], key[0])
        self._numbers.note_used(dirpath, key[1], number)
        self._drop(key)
        self._finished.add(key)

    def _made_by(self, key: ImageKey, image: HeldImage) -> dict[str, Any] | None:
        run = self._run
        if run is None or key[1] != run.source:
            return None
        return made_by(run.plan, run.fingerprint, run.model, clipped_pixels=image.clipped_pixels)

    def _drop(self, key: ImageKey) -> None:
        del self._held[key], self._metadata[key], self._dirpaths[key]

    def _forget(self) -> None:
        self._run = None
        self._numbers.next_run()
        self._held.clear()
        self._dirpaths.clear()
        self._metadata.clear()
        self._finished.clear()
