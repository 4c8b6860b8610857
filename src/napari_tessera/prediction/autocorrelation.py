"""How much an image resembles itself a few pixels further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FARTHEST = 10
"""Largest shift, px."""


def autocorrelation(
    pieces: Sequence[NDArray[Any]], farthest: int = FARTHEST
) -> NDArray[np.float64]:
    """Autocorrelation of pieces of one image, by Fourier transform (Wiener–Khinchin theorem).

    Each shift is the mean product over the pairs of pixels that both lie in a piece and are
    known, over all pieces, so that edges do not pull large shifts towards 0.

    Parameters
    ----------
    pieces : sequence of numpy.ndarray
        YX, each with its mean taken out; NaN where unknown.
    farthest : int
        Largest shift along each axis, px.

    Returns
    -------
    numpy.ndarray
        Shape (2·farthest + 1, 2·farthest + 1); shift (0, 0) in the middle, 1 there unless all is
        0. NaN where no pair has that shift.
    """
    size = 2 * farthest + 1
    products, pairs = np.zeros((size, size)), np.zeros((size, size))
    for piece in pieces:
        known = np.isfinite(piece)
        values = np.where(known, piece, 0).astype(np.float64)
        products += _shifted_sums(values, farthest)
        pairs += np.round(_shifted_sums(known.astype(np.float64), farthest))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(pairs > 0, products / pairs, np.nan)
        middle = mean[farthest, farthest]
        # what is rounded off is not what was there
        found: NDArray[np.float64] = mean / middle if middle > 0 else np.where(pairs > 0, 0.0, mean)
    return found


def _shifted_sums(values: NDArray[np.float64], farthest: int) -> NDArray[np.float64]:
    """Sums of products of a plane with itself, shifted by −farthest…farthest along Y and X."""
    # as much room beyond the edge as the largest shift, so that nothing comes round
    shape = [size + farthest for size in values.shape]
    spectrum = np.fft.rfft2(values, shape)
    sums = np.fft.irfft2(np.abs(spectrum) ** 2, shape)
    shifts = np.arange(-farthest, farthest + 1)
    inside = [np.abs(shifts) < size for size in values.shape]
    # a piece shorter than a shift has no such pair
    picked = sums[np.ix_(shifts % shape[0], shifts % shape[1])]
    return np.where(np.outer(*inside), picked, 0.0)
