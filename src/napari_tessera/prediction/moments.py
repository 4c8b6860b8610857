"""Mean and standard deviation of pixels that come block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = float(np.finfo(np.float32).max)
"""The model computes in float32: what is larger is infinite to it."""

Numbers = NDArray[np.float64]


class Moments:
    """Count, mean and standard deviation of each channel.

    Deviations from the first pixel are summed, so that a large grey level that all pixels share
    takes no digits from their differences. Sums of squares are joined by the updating formulas of
    Chan, Golub and LeVeque (1979); what is rounded off the sum is carried along (Neumaier 1974).

    Parameters
    ----------
    channels : int
        Number of channels. Of no pixels, mean and standard deviation are 0.
    """

    def __init__(self, channels: int) -> None:
        self.n = np.zeros(channels)
        self._origin = np.zeros(channels)
        self._sum = np.zeros(channels)
        self._lost = np.zeros(channels)
        self._squares = np.zeros(channels)

    @classmethod
    def known(cls, n: Numbers, mean: Numbers, std: Numbers) -> Moments:
        """Moments that were worked out otherwise."""
        moments = cls(n.size)
        moments.n, moments._origin, moments._squares = n, mean, std**2 * n
        return moments

    def add(self, pixels: Numbers) -> int:
        """Add pixels of shape (C, n) that are finite as float32; returns how many are."""
        if not pixels.size:
            return 0
        finite = np.abs(pixels) <= LARGEST
        first = pixels[np.arange(len(pixels)), finite.argmax(axis=1)]
        new = (self.n == 0) & finite.any(axis=1)
        self._origin[new] = first[new]
        # where all is finite, as it nearly always is, these are the same numbers with fewer copies
        has_all = bool(finite.all())
        away = pixels - self._origin[:, None]
        if not has_all:
            away = np.where(finite, away, 0)
        n = finite.sum(axis=1).astype(np.float64)
        total = away.sum(axis=1)
        mean = total / np.maximum(n, 1)
        away -= mean[:, None]
        if not has_all:
            away = np.where(finite, away, 0)
        # the mean is itself rounded: what is left of the deviations' sum makes it good
        rest = away.sum(axis=1)
        squares = (away**2).sum(axis=1) - rest**2 / np.maximum(n, 1)
        self._join(n, total, squares)
        return int(n.sum())

    def merge(self, other: Moments) -> None:
        """Add what others counted."""
        self._origin = np.where(self.n == 0, other._origin, self._origin)
        total = other._sum + other._lost + other.n * (other._origin - self._origin)
        self._join(other.n, total, other._squares)

    def _join(self, n: Numbers, total: Numbers, squares: Numbers) -> None:
        """Add a number of deviations from the origin, their sum, and squares about their mean."""
        joined = np.maximum(self.n + n, 1)
        own = (self._sum + self._lost) / np.maximum(self.n, 1)
        delta = total / np.maximum(n, 1) - own
        self._squares = self._squares + squares + delta**2 * (self.n * n / joined)
        both = self._sum + total
        larger = np.abs(self._sum) >= np.abs(total)
        big, small = np.where(larger, self._sum, total), np.where(larger, total, self._sum)
        self._lost = self._lost + ((big - both) + small)
        self._sum = both
        self.n = self.n + n

    def pooled(self) -> Moments:
        """Those of all channels as one."""
        all_as_one = Moments(1)
        for channel in range(self.n.size):
            one = Moments(1)
            for name in ("n", "_origin", "_sum", "_lost", "_squares"):
                setattr(one, name, getattr(self, name)[channel : channel + 1])
            all_as_one.merge(one)
        return all_as_one

    @property
    def mean(self) -> Numbers:
        """Mean of each channel."""
        return self._origin + (self._sum + self._lost) / np.maximum(self.n, 1)

    @property
    def std(self) -> Numbers:
        """Standard deviation of all pixels (of a population, not of a sample of one)."""
        return np.sqrt(np.maximum(self._squares, 0) / np.maximum(self.n, 1))
