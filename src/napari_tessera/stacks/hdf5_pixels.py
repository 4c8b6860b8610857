"""Pixels of an HDF5 dataset, and what else they are read from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import islice, product
from math import ceil, prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks.array import Index
from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.protocol import StackReadError

CACHED_BYTES = 64 * 2**20
_LARGE_CHUNK = 2**20
_SLOTS_PER_CHUNK = 100
_FEWEST_SLOTS = 521
_MOST_SLOTS = 65_537
_MOST_CHUNKS_TRIED = 4096
_FILTERS = {
    305: "LZO",
    307: "bzip2",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32026: "Blosc2",
}
"""Names of filters by the number under which the HDF Group lists them."""


class ShrunkFileError(OSError):
    """A file is shorter than it was when it was opened."""


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
    """

    gives_new_arrays = True
    """What is read is nobody else's memory, so that no copy of it is needed."""

    def __init__(
        self,
        group: h5py.Group,
        name: str,
        cached_bytes: int = CACHED_BYTES,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self._dataset = _open_with_cache(group, name, cached_bytes)
        self._path = Path(self._dataset.file.filename)
        self._size = self._path.stat().st_size
        self._stands_for = dtype
        self.shape = tuple(int(size) for size in self._dataset.shape)
        """Shape of the dataset."""
        self.dtype: np.dtype[Any] = dtype or self._dataset.dtype
        """Type of the pixels."""
        self.chunks: tuple[int, ...] | None = self._dataset.chunks
        """Shape of a chunk; None where the pixels lie in one piece or in other datasets."""

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        self._check_size()
        block = np.asarray(self._dataset[index])
        return block if self._stands_for is None else block.view(self._stands_for)

    def close(self) -> None:
        """Let go of the dataset, which may lie in another file than the one opened."""
        del self._dataset

    def _check_size(self) -> None:
        """HDF5 reads zeros where a file that was cut off while open has no bytes."""
        try:
            size = self._path.stat().st_size
        except OSError:
            # removed: what is open can be read all the same
            return
        if size < self._size:
            raise ShrunkFileError(
                f"the file had {self._size} bytes when it was opened, now it has {size}"
            )

    def reason(self, index: Index, error: Exception) -> str:
        """Why a read failed: the first chunk of a part that cannot be read, and where it lies."""
        if isinstance(error, ShrunkFileError):
            return str(error)
        if self.chunks is None:
            return one_line(error)
        for at in islice(_chunks_of(index, self.chunks), _MOST_CHUNKS_TRIED):
            part = tuple(
                slice(start, min(start + size, length))
                for start, size, length in zip(at, self.chunks, self.shape, strict=True)
            )
            try:
                self._dataset[part]
            except Exception as broken:
                return f"chunk at {at}{self._byte(at)}: {one_line(broken)}"
        return one_line(error)

    def _byte(self, at: Sequence[int]) -> str:
        try:
            info = self._dataset.id.get_chunk_info_by_coord(tuple(at))
        except Exception:
            # the index of the chunks is damaged as well
            return ""
        return "" if info.byte_offset is None else f", byte {info.byte_offset}"


def check_readable(dataset: h5py.Dataset, source: str) -> tuple[Path, ...]:
    """Check that all that a dataset is made of is there, before HDF5 reads zeros in its place.

    Returns
    -------
    tuple of pathlib.Path
        The other files that hold parts of it (external storage, virtual datasets).

    Raises
    ------
    ValueError
        If a compression filter is missing.
    FileNotFoundError
        If another file is missing.
    StackReadError
        If external storage ends too early.
    """
    _check_filters(dataset, source)
    folder = Path(dataset.file.filename).resolve().parent
    external = dataset.external or ()
    files: dict[Path, None] = {}
    for name, offset, size in external:
        path = _other_file(folder, name, source)
        files[path] = None
        if size != h5py.h5f.UNLIMITED and path.stat().st_size < offset + size:
            raise StackReadError(
                f"{source} is cut off: its pixels in {path} should end at byte {offset + size}, "
                f"the file ends at byte {path.stat().st_size}"
            )
    for part in dataset.virtual_sources() if dataset.is_virtual else ():
        # a name with %b stands for a series of files, of which any may be missing
        if part.file_name != "." and "%" not in part.file_name:
            files[_other_file(folder, part.file_name, source)] = None
    return tuple(files)


def _check_filters(dataset: h5py.Dataset, source: str) -> None:
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    missing = [found for found in filters if not h5py.h5z.filter_avail(found[0])]
    if missing and _more_filters():
        missing = [found for found in filters if not h5py.h5z.filter_avail(found[0])]
    for number, _, _, text in missing:
        name = _FILTERS.get(number) or text.decode(errors="replace") or "a filter"
        raise ValueError(
            f"{source} is compressed with {name} (HDF5 filter {number}), which h5py does not "
            "have: pip install hdf5plugin"
        )


def _more_filters() -> bool:
    """Make the filters of hdf5plugin known to HDF5, where it is installed."""
    try:
        import_module("hdf5plugin")
    except ImportError:
        return False
    return True


def _other_file(folder: Path, name: str, source: str) -> Path:
    """Where HDF5 looks for a file that another one names: beside it, then where we are."""
    candidates = [folder / name, Path(name)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{source} has pixels in {candidates[0]}, which does not exist")
    return path.resolve()


def _open_with_cache(group: h5py.Group, name: str, cached_bytes: int) -> h5py.Dataset:
    """Open a dataset with room for as many chunks as help; the longest unused goes first.

    Chunks that need no decoding are left to HDF5's default: they are read again in less time than
    a large cache takes to make room for them. Large ones of these get no room at all, so that
    HDF5 reads the rows that are wanted instead of the whole.
    """
    dataset = group[name]
    if dataset.chunks is None:
        return dataset
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


def _chunks_of(index: Index, chunks: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Where the chunks begin that an index touches."""
    spans = ((i.start, i.stop) if isinstance(i, slice) else (i, i + 1) for i in index)
    starts = (
        range(start // size * size, ceil(stop / size) * size, size)
        for (start, stop), size in zip(spans, chunks, strict=True)
    )
    return product(*starts)
