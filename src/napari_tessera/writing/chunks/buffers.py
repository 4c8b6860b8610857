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
