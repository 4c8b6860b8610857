"""Mean and standard deviation of pixels that come block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST = float(np.finfo(np.float32).max)
"""The model computes in float32: what is larger is infinite to it."""


@dataclass
class Moments:
    """Count, mean and sum of squared deviations of each channel.

    Blocks are joined by the updating formulas of Chan, Golub and LeVeque (1979), within a block
    deviations are taken from its own mean: nothing large is ever subtracted from something large
    but the pixels themselves.
    """

    n: NDArray[np.float64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]

    @classmethod
    def empty(cls, channels: int) -> Moments:
        """Of no pixels: mean and spread 0."""
        return cls(np.zeros(channels), np.zeros(channels), np.zeros(channels))

    def add(self, pixels: NDArray[np.float64]) -> int:
        """Add pixels of shape (C, n) that are finite as float32; returns how many are."""
        finite = np.abs(pixels) <= LARGEST
        kept = np.where(finite, pixels, 0)
        n = finite.sum(axis=1).astype(np.float64)
        some = np.maximum(n, 1)
        mean = kept.sum(axis=1) / some
        deviations = np.where(finite, kept - mean[:, None], 0)
        # the mean is itself rounded: what is left of the deviations' sum makes it good
        rest = deviations.sum(axis=1)
        m2 = (deviations**2).sum(axis=1) - rest**2 / some
        self.merge(Moments(n, mean + rest / some, m2))
        return int(n.sum())

    def merge(self, other: Moments) -> None:
        """Add what others counted."""
        n = self.n + other.n
        some = np.maximum(n, 1)
        delta = other.mean - self.mean
        self.m2 = self.m2 + other.m2 + delta**2 * self.n * other.n / some
        self.mean = self.mean + delta * other.n / some
        self.n = n

    def pooled(self) -> Moments:
        """Those of all channels as one."""
        total = Moments.empty(1)
        for n, mean, m2 in zip(self.n, self.mean, self.m2, strict=True):
            total.merge(Moments(np.array([n]), np.array([mean]), np.array([m2])))
        return total

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation of all pixels (of a population, not of a sample of one)."""
        return np.sqrt(np.maximum(self.m2, 0) / np.maximum(self.n, 1))
