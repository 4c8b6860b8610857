"""Reading part of an array that lies uncompressed in a file, in as few reads as make sense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RUN_BYTES = 2**20
_RUN_WASTE = 2


def read_runs(
    read: Callable[[int, int], bytes],
    offset: int,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    part: Sequence[tuple[int, int]],
) -> NDArray[np.generic]:
    """Read part of a C-ordered array from a file.

    The part is read in runs of bytes. A gap between pixels that are wanted (the rest of a row,
    say) is read along where the run stays below 1 MiB, or below twice the bytes wanted: a seek
    costs more. Otherwise rows are read one by one.

    Parameters
    ----------
    read : callable
        Gives the bytes at (position in the file, number of bytes), all of them or raises.
    offset : int
        Where the array begins in the file.
    shape : sequence of int
        Shape of the whole array.
    dtype : numpy.dtype
        Type of the pixels as stored, byte order included.
    part : sequence of (int, int)
        Start and stop along each axis, inside the array and not empty.

    Returns
    -------
    numpy.ndarray
        The part, in ``dtype``.
    """
    ndim = len(shape)
    strides = [prod(shape[axis + 1 :]) * dtype.itemsize for axis in range(ndim)]
    lengths = [stop - start for start, stop in part]

    def span(axis: int) -> int:
        """Bytes from the first to the last wanted pixel of one entry of the axes before."""
        last = sum((lengths[at] - 1) * strides[at] for at in range(axis, ndim))
        return last + dtype.itemsize

    axis = ndim
    while axis > 0:
        wanted = prod(lengths[axis - 1 :]) * dtype.itemsize
        if span(axis - 1) > max(_RUN_BYTES, _RUN_WASTE * wanted):
            break
        axis -= 1
    first = offset + sum(part[at][0] * strides[at] for at in range(ndim))
    block = np.empty(lengths, dtype)
    for position in product(*(range(length) for length in lengths[:axis])):
        at = first + sum(i * stride for i, stride in zip(position, strides, strict=False))
        run = read(at, span(axis))
        block[position] = np.ndarray(lengths[axis:], dtype, run, strides=strides[axis:])
    return block
