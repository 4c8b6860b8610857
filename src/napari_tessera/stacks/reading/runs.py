"""Reading part of an array that lies uncompressed in a file, in as few reads as make sense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GAP_BYTES = 16 * 2**10
_RUN_BYTES = 4 * 2**20


def read_runs(
    read: Callable[[int, int], bytes],
    offset: int,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    part: Sequence[tuple[int, int]],
    target: NDArray[np.generic],
) -> None:
    """Read part of a C-ordered array from a file.

    The part is read in runs of bytes, of 4 MiB at most where one row (plane, …) is not longer. A
    gap between pixels that are wanted (the rest of a row, say) is read along up to 16 KiB:
    another read costs more.

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
    target : numpy.ndarray
        Where the pixels go, of the part's shape.
    """
    ndim = len(shape)
    strides = [dtype.itemsize] * ndim
    for axis in range(ndim - 1, 0, -1):
        strides[axis - 1] = strides[axis] * shape[axis]
    lengths, first = [], offset
    for (start, stop), stride in zip(part, strides, strict=True):
        lengths.append(stop - start)
        first += start * stride
    # axes from `inner` on are read as one run of `span` bytes, or `entries` of these at once
    inner, span, entries = ndim, dtype.itemsize, 1
    while inner > 0:
        stride, length = strides[inner - 1], lengths[inner - 1]
        if length > 1 and stride - span > _GAP_BYTES:
            break
        entries = min(length, max(1, (_RUN_BYTES - span) // stride + 1))
        if entries < length:
            break
        inner, span, entries = inner - 1, span + (length - 1) * stride, 1
    if inner == 0:
        target[...] = np.ndarray(lengths, dtype, read(first, span), strides=strides)
        return
    axis = inner - 1
    for position in product(*(range(length) for length in lengths[:axis])):
        at = first + sum(i * stride for i, stride in zip(position, strides, strict=False))
        rows = target[position]
        for start in range(0, lengths[axis], entries):
            count = min(entries, lengths[axis] - start)
            run = read(at + start * strides[axis], span + (count - 1) * strides[axis])
            rows[start : start + count] = np.ndarray(
                (count, *lengths[inner:]), dtype, run, strides=strides[axis:]
            )
