"""Counting the chunks of an HDF5 dataset that were never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import ceil, prod
from threading import Lock

import h5py

from napari_tessera.stacks.patch_index import Index
from napari_tessera.stacks.reading.number_set import NumberSet

MOST_COUNTED = 100_000
"""Chunks of a dataset beyond which it is not asked how many of them there are: HDF5 goes through
all of them for it."""


class UnwrittenChunks:
    """Counts the chunks of one dataset that are met and were never written. Thread-safe.

    HDF5 makes room for a chunk when it is written for the first time, and reads the fill value
    where there is none. A dataset in one piece counts as one chunk. Of virtual datasets and
    external storage nothing is counted.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset; it is not kept.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._chunks: tuple[int, ...] | None = dataset.chunks
        self._grid = [1] * dataset.ndim
        if self._chunks is not None:
            sizes = zip(dataset.shape, self._chunks, strict=True)
            self._grid = [ceil(length / size) for length, size in sizes]
        self._met = NumberSet()
        self._count = 0
        self._lock = Lock()
        total = prod(self._grid)
        self.whole: tuple[int, int] | None = None
        """How many the whole dataset lacks and how many make it up; None where it is not asked."""
        if self._chunks is None:
            elsewhere = dataset.is_virtual or bool(dataset.external)
            left_out = int(not elsewhere and dataset.id.get_storage_size() == 0)
            self.whole = (left_out, total)
        elif total <= MOST_COUNTED:
            self.whole = (total - dataset.id.get_num_chunks(), total)
        self.possible = self.whole is None or self.whole[0] > 0
        """Whether there may be any; if not, nothing needs to be noted."""

    @property
    def count(self) -> int:
        """How many are known so far."""
        return self._count

    def note(self, dataset: h5py.Dataset, index: Index) -> None:
        """Take note of the chunks that a read of a part of the dataset has met."""
        for at in chunks_of(index, self._chunks or dataset.shape):
            if self._met.add(self._number(at)) and self._unwritten(dataset, at):
                with self._lock:
                    self._count += 1

    def _unwritten(self, dataset: h5py.Dataset, at: tuple[int, ...]) -> bool:
        if self._chunks is None:
            return True
        return dataset.id.get_chunk_info_by_coord(at).byte_offset is None

    def _number(self, at: tuple[int, ...]) -> int:
        number = 0
        for start, size, count in zip(at, self._chunks or (), self._grid, strict=False):
            number = number * count + start // size
        return number


def chunks_of(index: Index, chunks: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Where the chunks begin that an index touches."""
    spans = ((i.start, i.stop) if isinstance(i, slice) else (i, i + 1) for i in index)
    starts = (
        range(start // size * size, ceil(stop / size) * size, size)
        for (start, stop), size in zip(spans, chunks, strict=True)
    )
    return product(*starts)
