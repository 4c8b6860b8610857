"""Fewer pixels for the levels of a pyramid: the mean of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


def downsample(pixels: NDArray[Any], factors: Sequence[int]) -> NDArray[Any]:
    """Replace neighbouring pixels by the mean of those that have a value.

    NaN is no value: it is left out of the mean, and only where nothing else is there the result
    is NaN. At far edges that are no multiple of the factor the mean is of the pixels there are.
    Each result depends on the pixels it replaces alone, to the bit, so that blocks that start at
    multiples of the factors can be worked out apart.

    Parameters
    ----------
    pixels : numpy.ndarray
        Float or integer.
    factors : sequence of int
        Neighbours along each axis that become one.

    Returns
    -------
    numpy.ndarray
        Of the shape ``ceil(size / factor)`` and the same data type. Means are worked out in
        float64; integers are rounded half to even.
    """
    if all(factor == 1 for factor in factors):
        return pixels.copy()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        total = _sums(pixels, factors)
        # one NaN or two infinities among the neighbours make the sum NaN
        if pixels.dtype.kind == "f" and np.isnan(total).any():
            valued = ~np.isnan(pixels)
            total = _sums(np.where(valued, pixels, pixels.dtype.type(0)), factors)
            total /= _sums(valued, factors)
            # which of the many NaN it is must not depend on how it came about
            total[np.isnan(total)] = np.nan
        else:
            total /= _counts(pixels.shape, factors)
        return _as(total, pixels.dtype)


def _sums(pixels: NDArray[Any], factors: Sequence[int]) -> NDArray[np.float64]:
    total: NDArray[Any] = pixels
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        along = [slice(None)] * pixels.ndim
        parts = []
        for start in range(factor):
            along[axis] = slice(start, None, factor)
            parts.append(total[tuple(along)])
        size = parts[0].shape[axis]
        if parts[-1].shape[axis] == size:
            total = np.add(parts[0], parts[1], dtype=np.float64)
            rest = parts[2:]
        else:
            total = parts[0].astype(np.float64)
            rest = parts[1:]
        for part in rest:
            along[axis] = slice(0, part.shape[axis])
            total[tuple(along)] += part
    return total


def _counts(shape: Sequence[int], factors: Sequence[int]) -> NDArray[np.float64] | float:
    """How many pixels each one replaces: a number where it is the same everywhere."""
    if not any(size % factor for size, factor in zip(shape, factors, strict=True)):
        return float(prod(factors))
    counts = np.ones((1,) * len(shape))
    for axis, (size, factor) in enumerate(zip(shape, factors, strict=True)):
        along = np.full(-(-size // factor), float(factor))
        along[-1] = size - (along.size - 1) * factor
        counts = counts * along.reshape([-1 if at == axis else 1 for at in range(len(shape))])
    return counts


def _as(means: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return means.astype(dtype, copy=False)
    np.rint(means, out=means)
    if dtype.itemsize < 8:
        return means.astype(dtype)
    # float64 rounds the largest 64-bit integers up to what they cannot hold
    beyond = means >= float(np.iinfo(dtype).max)
    means[beyond] = 0
    whole = means.astype(dtype)
    whole[beyond] = np.iinfo(dtype).max
    return whole
