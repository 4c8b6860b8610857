"""HDF5 files: one dataset of them, and Imaris images, which are HDF5 too."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from napari_tessera.axes import validate_axes
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import ArrayStack, Index
from napari_tessera.stacks.checks import at_level, check_level, error_line, pixel_dtype
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.reading.single_axes import WithoutAxes, choose_axes

try:
    import h5py
except ImportError as error:
    raise ImportError(
        'HDF5 is read with h5py, which is not installed: pip install "napari-tessera[hdf5]"'
    ) from error

from napari_tessera.stacks.hdf5.imaris import (
    AXES,
    ImarisPixels,
    count_levels,
    imaris_metadata,
    is_imaris,
)
from napari_tessera.stacks.hdf5.metadata import dataset_axes, dataset_metadata, stands_for
from napari_tessera.stacks.hdf5.nodes import find_dataset, open_hdf5
from napari_tessera.stacks.hdf5.pixels import HDF5Pixels


class HDF5Stack(ArrayStack):
    """One dataset of an HDF5 file, or an Imaris image, read as patches need it.

    HDF5 reads one part at a time, whatever the number of threads. Decoded chunks are kept for
    neighbouring patches, 64 MiB at most. A file that another program is writing to can be read
    where that one writes in SWMR mode; the stack keeps the shape of the moment.

    Parameters
    ----------
    path : str or path
        The file.
    dataset : str, optional
        Path of a dataset in the file, or of a group with one image. By default the image of an
        Imaris file, else the only dataset of numbers with two axes or more.
    axes : str, optional
        One letter per axis. By default what the dataset says of itself (see `dataset_axes`),
        else a guess from its shape. An Imaris image has those of T, C, Z, Y, X that have more
        than one entry; letters for these, or for all five, can be given instead.
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Resolution level of an Imaris image; 0 is the full size, and all that others have.

    Raises
    ------
    FileNotFoundError
        If there is no such file or dataset, or another file that belongs to it is missing.
    StackReadError
        If the file is no HDF5, damaged, or open for writing elsewhere.
    ValueError
        If no dataset is named and there are several or none, a compression filter is missing,
        or axes, channels, level or the type of the pixels do not go with the file.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        dataset: str | None = None,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        resolved = Path(path).resolve()
        file = open_hdf5(resolved)
        try:
            if not (dataset or "").strip("/") and is_imaris(file):
                self._open_imaris(file, resolved, axes, channels, level)
            else:
                self._open_dataset(file, resolved, dataset, axes, channels, level)
        except BaseException as error:
            file.close()
            if isinstance(error, KeyError | RuntimeError) or type(error) is OSError:
                # what h5py says of objects that are damaged
                problem = f"{resolved} cannot be opened: {error_line(error)}"
                raise StackReadError(problem) from error
            raise
        self._fill_value = self._pixels.fill_value
        # a stack that is dropped without close() must not leave its file open
        self._release = weakref.finalize(self, _close, self._pixels, file)

    def _open_dataset(
        self,
        file: h5py.File,
        path: Path,
        name: str | None,
        axes: str | None,
        channels: Sequence[int] | None,
        level: int,
    ) -> None:
        inner = find_dataset(file, path, name)
        source = f"{path}#{inner}"
        if level != 0:
            raise ValueError(f"{source} is one dataset without levels; use level 0")
        metadata, stored_in = _described(file, inner, source, axes)
        pixels = HDF5Pixels(file, inner, dtype=stands_for(file, inner), source=source)
        self._pixels: HDF5Pixels | ImarisPixels = pixels
        self._origins = tuple(dict.fromkeys((path, *pixels.others, stored_in)))
        super().__init__(
            pixels,
            axes or metadata.axes,
            source=source,
            channels=channels,
            metadata=metadata.renamed(axes or metadata.axes),
        )

    def _open_imaris(
        self,
        file: h5py.File,
        path: Path,
        axes: str | None,
        channels: Sequence[int] | None,
        level: int,
    ) -> None:
        n_levels = count_levels(file)
        check_level(str(path), level, n_levels)
        pixels = ImarisPixels(file, level)
        kept, axes = choose_axes(AXES, pixels.shape, axes)
        own = "".join(AXES[at] for at in kept)
        self._pixels = pixels
        self._origins = (path,)
        super().__init__(
            WithoutAxes(pixels, kept),
            axes,
            source=at_level(str(path), level),
            channels=channels,
            metadata=imaris_metadata(file, pixels.shape).with_axes(own).renamed(axes),
        )
        self.n_levels = n_levels

    @property
    def origins(self) -> tuple[Path, ...]:
        """The file, and others that hold parts of the dataset."""
        return self._origins

    @property
    def absent_chunks(self) -> int:
        """Distinct chunks, met so far, that were never written and were read as the fill value.

        A dataset in one piece counts as one; parts of virtual datasets are not counted.
        """
        return self._pixels.absent_chunks

    @property
    def fill_value(self) -> Any:
        """What is read where nothing was written."""
        return self._fill_value

    def count_absent(self) -> tuple[int, int] | None:
        """How many chunks of a dataset were never written, and how many make it up.

        Returns
        -------
        tuple of int or None
            None of more than 100,000 chunks, and of Imaris images, which have many datasets.
        """
        return self._pixels.unwritten.whole if isinstance(self._pixels, HDF5Pixels) else None

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._release()

    def _reason(self, index: Index, error: Exception) -> str:
        if isinstance(self._data, WithoutAxes):
            index = self._data.whole(index)
        return self._pixels.reason(index, error)


def _described(
    file: h5py.File, name: str, source: str, axes: str | None
) -> tuple[ImageMetadata, Path]:
    """Check that a dataset is an image; what it says of itself, and the file it is in.

    The dataset is let go afterwards: how much HDF5 keeps of it is settled when it is opened anew.
    """
    dataset = file[name]
    if dataset.shape is None:
        raise ValueError(f"{source} holds no pixels: name another dataset of the file")
    try:
        pixel_dtype(dataset.dtype, source)
    except TypeError as error:
        raise ValueError(f"{source}: NumPy does not have its type: {error}") from None
    if axes is not None:
        validate_axes(axes, dataset.shape)
    try:
        own = dataset_axes(dataset)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    return dataset_metadata(dataset, own), Path(dataset.file.filename).resolve()


def _close(pixels: HDF5Pixels | ImarisPixels, file: h5py.File) -> None:
    pixels.close()
    file.close()
