"""Pixels of an HDF5 dataset, and what else they are read from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks.array import Index
from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.hdf5.absent import UnwrittenChunks, chunks_of
from napari_tessera.stacks.hdf5.filters import check_filters
from napari_tessera.stacks.hdf5.links import node_at
from napari_tessera.stacks.hdf5.others import LostPixelsError, OtherFiles

CACHED_BYTES = 64 * 2**20
_LARGE_CHUNK = 2**20
_SLOTS_PER_CHUNK = 100
_FEWEST_SLOTS = 521
_MOST_SLOTS = 65_537
_MOST_CHUNKS_TRIED = 4096


class HDF5Pixels:
    """Array-like over a dataset that keeps decoded chunks for neighbouring patches.

    HDF5 itself keeps the chunks; its default of some MiB holds less than a row of large ones, of
    which then each is decoded again for every patch.

    Parameters
    ----------
    group : h5py.Group
        An open file or group.
    name : str
        Path of a dataset, from the group.
    cached_bytes : int, optional
        Bytes that decoded chunks may take. HDF5 takes the number of whoever opens a dataset
        first, as long as that one keeps it open.
    dtype : numpy.dtype, optional
        What the stored pixels stand for, where that is another type of the same size.
    source : str, optional
        What messages call the dataset. Default: file and name.
    unwritten : UnwrittenChunks, optional
        Goes on counting where the same dataset was open before.

    Raises
    ------
    FileNotFoundError, StackReadError, ValueError
        If other files that the dataset needs, or its filters, are not there (see `OtherFiles`).
    """

    gives_new_arrays = True
    """What is read is nobody else's memory, so that no copy of it is needed."""

    keeps_chunks = True
    """What is decoded is kept for a while, also where nobody asks for that."""

    def __init__(
        self,
        group: h5py.Group,
        name: str,
        cached_bytes: int = CACHED_BYTES,
        dtype: np.dtype[Any] | None = None,
        source: str | None = None,
        unwritten: UnwrittenChunks | None = None,
    ) -> None:
        self._dataset = _open_with_cache(group, name, cached_bytes)
        self._stored = _open_file(self._dataset.file)
        self._size = os.stat(self._stored).st_size
        source = source or f"{self._dataset.file.filename}#{name}"
        check_filters(self._dataset, source)
        self._others = OtherFiles(self._dataset, source)
        self._elsewhere = self._dataset.is_virtual or bool(self._dataset.external)
        self._stands_for = dtype
        self.unwritten = unwritten or UnwrittenChunks(self._dataset)
        """Counts the chunks that were never written."""
        self.shape = tuple(int(size) for size in self._dataset.shape)
        """Shape of the dataset."""
        self.dtype: np.dtype[Any] = dtype or self._dataset.dtype
        """Type of the pixels."""
        self.chunks: tuple[int, ...] | None = self._dataset.chunks
        """Shape of a chunk; None where the pixels lie in one piece or in other datasets."""

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        try:
            block = np.asarray(self._dataset[index])
        except Exception:
            self._check_files(index)
            raise
        # afterwards, as nothing is known of what happens to a file between a check and the read
        self._check_files(index)
        if self.unwritten.possible:
            self.unwritten.note(self._dataset, index)
        return block if self._stands_for is None else block.view(self._stands_for)

    @property
    def others(self) -> tuple[Path, ...]:
        """Other files that hold pixels of the dataset (external storage, virtual datasets)."""
        return self._others.paths

    @property
    def absent_chunks(self) -> int:
        """Distinct chunks, met so far, that were never written."""
        return self.unwritten.count

    @property
    def fill_value(self) -> Any:
        """What is read where nothing was written."""
        value = np.asarray(self._dataset.fillvalue)
        return value.view(self._stands_for or value.dtype)[()]

    def close(self) -> None:
        """Let go of the dataset, which may lie in another file than the one opened."""
        del self._dataset
        self._others.close()

    def _check_files(self, index: Index) -> None:
        """HDF5 reads zeros where a file that was cut off while open has no bytes."""
        if self._elsewhere:
            self._others.check(index)
        try:
            size = os.stat(self._stored).st_size
        except OSError:
            # removed: what is open can be read all the same
            return
        if size < self._size:
            raise LostPixelsError(
                f"the file had {self._size} bytes when it was opened, now it has {size}"
            )

    def reason(self, index: Index, error: Exception) -> str:
        """Why a read failed: the first chunk of a part that cannot be read, and where it lies."""
        if isinstance(error, LostPixelsError):
            return str(error)
        if self.chunks is None:
            return error_line(error)
        for at in islice(chunks_of(index, self.chunks), _MOST_CHUNKS_TRIED):
            part = tuple(
                slice(start, min(start + size, length))
                for start, size, length in zip(at, self.chunks, self.shape, strict=True)
            )
            try:
                self._dataset[part]
            except Exception as broken:
                return f"chunk at {at}{self._byte(at)}: {error_line(broken)}"
        return error_line(error)

    def _byte(self, at: Sequence[int]) -> str:
        try:
            info = self._dataset.id.get_chunk_info_by_coord(tuple(at))
        except Exception:
            # the index of the chunks is damaged as well
            return ""
        return "" if info.byte_offset is None else f", byte {info.byte_offset}"


def _open_with_cache(group: h5py.Group, name: str, cached_bytes: int) -> h5py.Dataset:
    """Open a dataset with room for as many chunks as help; the longest unused goes first.

    Chunks that need no decoding are left to HDF5's default: they are read again in less time than
    a large cache takes to make room for them. Large ones of these get no room at all, so that
    HDF5 reads the rows that are wanted instead of the whole.
    """
    dataset = node_at(group, name)
    if dataset.chunks is None:
        if not _has_storage_beside(dataset):
            return dataset
        folder = Path(dataset.file.filename).resolve().parent
        del dataset
        return _with_storage_in(folder, group, name)
    chunk_bytes = prod(dataset.chunks) * dataset.dtype.itemsize
    if not dataset.id.get_create_plist().get_nfilters():
        if chunk_bytes <= _LARGE_CHUNK:
            return dataset
        cached_bytes = 0
    # while it is open, the settings of a second opening count for nothing
    del dataset
    slots = cached_bytes // max(chunk_bytes, 1) * _SLOTS_PER_CHUNK
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(min(max(slots, _FEWEST_SLOTS), _MOST_SLOTS), cached_bytes, 0.0)
    return h5py.Dataset(h5py.h5d.open(group.id, name.encode(), access))


def _open_file(file: h5py.File) -> int | Path:
    """What tells the size of an open file: its descriptor, of which asking takes the least time.

    On Windows descriptors belong to the library that made them.
    """
    path = Path(file.filename)
    return path if os.name == "nt" else int(file.id.get_vfd_handle())


def _has_storage_beside(dataset: h5py.Dataset) -> bool:
    """Whether relative names of external storage mean files beside the dataset's own."""
    folder = Path(dataset.file.filename).resolve().parent
    names = [Path(entry[0]) for entry in dataset.external or ()]
    return any((folder / name).is_file() for name in names if not name.is_absolute())


def _with_storage_in(folder: Path, group: h5py.Group, name: str) -> h5py.Dataset:
    """Open a dataset; HDF5 looks for its storage where the program runs unless told otherwise."""
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_efile_prefix(os.fsencode(folder))
    try:
        return h5py.Dataset(h5py.h5d.open(group.id, name.encode(), access))
    except KeyError:
        # open elsewhere in this program, where another place counts
        return group[name]
