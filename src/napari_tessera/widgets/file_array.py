"""Arrays in temporary files, of which nothing takes room before it is written."""

from __future__ import annotations

import errno
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.lazy_array import Bounds, LazyArray
from napari_tessera.writing import fill_value

PIECE_BYTES = 2**22
"""Most that is written or read at once: whoever wants something else of it waits for no more."""


class FileArray(LazyArray):
    """An array in a temporary file, which goes with it, and with the process however that ends.

    What was not written is the fill value. The file holds differences from it, bit by bit, so that
    the holes of a sparse file, which read as zeros, are unwritten pixels. It is read and written
    by system calls, as touching mapped memory ends the program where a disk is full. Thread-safe.

    Parameters
    ----------
    shape : sequence of int
        Its shape.
    dtype : numpy.dtype
        Its dtype.
    """

    def __init__(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        super().__init__(shape, dtype)
        self.full = False
        """Whether the disk had no room for something, which is then missing."""
        self._bits = np.dtype(f"u{self.dtype.itemsize}")
        self._fill = np.array(fill_value(self.dtype), self.dtype).view(self._bits)
        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile(prefix="napari-tessera-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._file.truncate(self.size * self.dtype.itemsize)

    def __setitem__(self, place: tuple[slice, ...], pixels: NDArray[Any]) -> None:
        """Write a block; a disk that is full takes no more, which is no error."""
        bounds = tuple(part.indices(size)[:2] for part, size in zip(place, self.shape, strict=True))
        block = np.ascontiguousarray(pixels, self.dtype).view(self._bits) ^ self._fill
        try:
            for at, run in zip(*self._runs(bounds, block), strict=True):
                self._all_of(run, at, self._file.write)
        except OSError:
            self.full = True

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        block = np.zeros([b - a for a, b in bounds], self._bits)
        for at, run in zip(*self._runs(bounds, block), strict=True):
            self._all_of(run, at, self._file.readinto)
        pixels: NDArray[Any] = (block ^ self._fill).view(self.dtype)
        return pixels

    def _all_of(self, run: memoryview, at: int, move: Callable[[memoryview], int | None]) -> None:
        """Write or read a run piece by piece: a system call may do less than it was asked for."""
        while len(run):
            with self._lock:
                self._file.seek(at)
                moved = move(run[:PIECE_BYTES])
            if not moved:
                raise OSError(errno.EIO, "a temporary file takes or gives nothing more")
            at, run = at + moved, run[moved:]

    def _runs(
        self, bounds: Sequence[tuple[int, int]], block: NDArray[Any]
    ) -> tuple[list[int], Iterator[memoryview]]:
        """Where in the file pixels of a block follow each other, and these pixels."""
        if not block.size:
            return [], iter(())
        whole = len(bounds)
        while whole > 1 and bounds[whole - 1] == (0, self.shape[whole - 1]):
            whole -= 1
        # Axes from here on are one run: all but the first of them are taken whole.
        first = whole - 1
        strides = [prod(self.shape[d + 1 :]) for d in range(self.ndim)]
        starts = np.array(bounds[first][0] * strides[first])
        for d in range(first):
            starts = np.add.outer(starts, np.arange(*bounds[d]) * strides[d])
        offsets = (starts.reshape(-1) * self.dtype.itemsize).tolist()
        runs = block.reshape(len(offsets), -1).view(np.uint8)
        return offsets, (memoryview(run) for run in runs)  # type: ignore[arg-type]
