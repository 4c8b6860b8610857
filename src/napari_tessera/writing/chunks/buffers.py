"""Memory for chunks that are begun."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

OWN_PAGES = 256 * 2**10
"""Bytes from which a buffer has pages of its own; the system allows a process 65,530 such."""

MOST_SPARE = 2 * 2**20
"""Bytes of buffers that are kept to be used again: where one row of chunks ends, the next begins,
so that few will do."""


def empty_buffer(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make an array that takes memory only as pixels are put in, and gives it back when it goes.

    Chunks that are begun live long, among much that is short-lived: from the allocator's heap
    they would leave holes that stay with the process, and take their whole size when the first
    row comes.

    Parameters
    ----------
    shape : sequence of int
        Its shape.
    dtype : numpy.dtype
        Its data type.
    """
    size = prod(shape) * dtype.itemsize
    if size < OWN_PAGES:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, buffer=mmap.mmap(-1, size))


class SpareBuffers:
    """Buffers that were used, for the next ones: new pages cost more than what is put in.

    Parameters
    ----------
    most : int, default `MOST_SPARE`
        Bytes of them to keep.
    """

    def __init__(self, most: int = MOST_SPARE) -> None:
        self._most = most
        self._spare: list[NDArray[Any]] = []
        self._bytes = 0

    def take(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """A buffer whose pixels are anything; see `empty_buffer`."""
        for at, buffer in enumerate(self._spare):
            if buffer.shape == tuple(shape) and buffer.dtype == dtype:
                self._bytes -= buffer.nbytes
                return self._spare.pop(at)
        return empty_buffer(shape, dtype)

    def give_back(self, buffer: NDArray[Any]) -> None:
        """Keep a buffer, which nobody may look at or change any more."""
        self._spare.append(buffer)
        self._bytes += buffer.nbytes
        while self._bytes > self._most:
            self._bytes -= self._spare.pop(0).nbytes
