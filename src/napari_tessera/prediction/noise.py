"""What of an image's pixels is noise, as far as neighbouring pixels tell. All along Y and X."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.moments import LARGEST

Numbers = NDArray[np.float64]

NOISE_GAIN = 36
"""Variance of `noise_response` for noise of variance 1 that is not correlated."""


def known(pixels: NDArray[np.generic]) -> Numbers:
    """Pixels as float64, NaN where they are not finite as float32."""
    values = pixels.astype(np.float64)
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def second_difference(planes: Numbers, axis: int) -> Numbers:
    """``a[i-1] − 2 a[i] + a[i+1]``; two shorter along the axis, NaN where one of them is."""
    moved = np.moveaxis(planes, axis, -1)
    found = moved[..., :-2] - 2 * moved[..., 1:-1] + moved[..., 2:]
    return np.moveaxis(found, -1, axis)


def noise_response(planes: Numbers) -> Numbers:
    """Second differences along Y of those along X: 0 on ramps and straight edges, not on noise.

    The mask ``[[1, −2, 1], [−2, 4, −2], [1, −2, 1]]`` of J. Immerkær, Fast noise variance
    estimation, Computer Vision and Image Understanding 64 (1996) 300–302. Its squares are taken,
    not its magnitudes as there: the mean square over `NOISE_GAIN` is the mean variance of
    uncorrelated noise of any distribution, so that of photons (Poisson's), which differs from
    pixel to pixel, too. Structure as fine as a pixel adds to it.

    Parameters
    ----------
    planes : numpy.ndarray
        ``…YX`` float64.

    Returns
    -------
    numpy.ndarray
        ``…YX``, two shorter along Y and X; empty for planes of less than 3 pixels.
    """
    if min(planes.shape[-2:]) < 3:
        return np.zeros((*planes.shape[:-2], 0, 0))
    return second_difference(second_difference(planes, -1), -2)


@dataclass(frozen=True)
class Products:
    """Sums over pairs of values, of which each is a sample of one distribution about 0.

    Parameters
    ----------
    products : float
        Of both values of each pair.
    squares : float
        Mean of the squares of the first ones and those of the second ones, summed.
    """

    products: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Products) -> Products:
        return Products(self.products + other.products, self.squares + other.squares)

    @property
    def correlation(self) -> float:
        """Correlation of the pairs; 0 where all is 0."""
        return self.products / self.squares if self.squares > 0 else 0.0


def neighbours(planes: Numbers, axis: int) -> Products:
    """Pairs of neighbouring pixels along an axis; those with a NaN do not count."""
    moved = np.moveaxis(planes, axis, -1)
    first, second = moved[..., :-1], moved[..., 1:]
    both = np.isfinite(first) & np.isfinite(second)
    if not both.all():
        first, second = np.where(both, first, 0), np.where(both, second, 0)
    squares = (float((first**2).sum()) + float((second**2).sum())) / 2
    return Products(float((first * second).sum()), squares)


def stripes(planes: Numbers) -> tuple[Products, Products]:
    """Pairs of neighbours within a row, and within a column, of what is noise in an image.

    Noise that is not correlated has neither; smooth structure is removed first by the second
    difference across, and what is left of structure of all directions has both alike: so the
    difference of the two correlations tells of noise that comes in rows or columns.

    Parameters
    ----------
    planes : numpy.ndarray
        ``…YX`` float64, NaN where unknown.

    Returns
    -------
    tuple of Products
        Along rows (neighbours in X), along columns (neighbours in Y).
    """
    if min(planes.shape[-2:]) < 4:
        return Products(), Products()
    along_rows = neighbours(second_difference(planes, -2), -1)
    return along_rows, neighbours(second_difference(planes, -1), -2)
