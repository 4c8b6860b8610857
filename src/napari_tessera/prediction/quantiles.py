"""Quantiles of pixels that come block by block: exact where they fit, else with a stated bound."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.moments import LARGEST, Moments

MOST_EXACT = 2**26
"""Pixels, channels counted, of which all values are held at once."""

DRAWN = 2**22
"""Values that are drawn for each channel where there are more."""

LEAST_DRAWN = 2**18
"""Values drawn for each of very many channels."""

CHANCE = 1e-6
"""Probability that a bound does not hold, for each channel of each row of a table of statistics."""


def error_bound(drawn: int) -> float:
    """Largest difference of the share of pixels below a drawn quantile from its fraction.

    With n values drawn independently, the share F(q̂) of all pixels below the quantile q̂ of those
    drawn differs from the quantile's fraction by at most sqrt(ln(2/δ)/(2n)), but for a chance of
    δ = 10⁻⁶ (Dvoretzky, Kiefer and Wolfowitz 1956, with the constant of Massart 1990), and by
    1/n for interpolating between two of them.

    That chance is of all fractions at once, but of one draw: of each channel (or of all pooled) in
    each row of a plan's statistics, a row being a time point or the series. For m of these, the
    chance that any of the bounds does not hold is at most m·δ.

    Parameters
    ----------
    drawn : int
        Number of values.
    """
    if drawn < 1:
        return 1.0
    return min(1.0, sqrt(log(2 / CHANCE) / (2 * drawn)) + 1 / drawn)


class Quantiles(Protocol):
    """Takes blocks of pixels of shape (C, n) in their own dtype."""

    def add(self, pixels: NDArray[Any]) -> None:
        """Take a block."""
        ...

    def at(self, fraction: float, pooled: bool) -> NDArray[np.float64]:
        """The quantile of each channel, or of all as one; 0 where nothing finite came."""
        ...

    @property
    def error(self) -> float:
        """By how much the share of pixels below a quantile may differ from its fraction."""
        ...


class Histogram:
    """Counts of all values of integers of up to 16 bits: quantiles and moments are exact.

    Parameters
    ----------
    channels : int
        Number of channels.
    dtype : numpy.dtype
        Type of the pixels: integers of 8 or 16 bits, or bool.
    """

    error = 0.0

    def __init__(self, channels: int, dtype: np.dtype[Any]) -> None:
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        self._low = int(low)
        self._counts = np.zeros((channels, int(high) - self._low + 1), np.int64)

    def add(self, pixels: NDArray[Any]) -> None:
        """Count a block."""
        for counts, values in zip(self._counts, pixels, strict=True):
            steps = values.astype(np.int64) - self._low
            counts += np.bincount(steps, minlength=counts.size)

    def at(self, fraction: float, pooled: bool) -> NDArray[np.float64]:
        """The quantile of each channel, or of all as one."""
        groups = self._counts.sum(axis=0, keepdims=True) if pooled else self._counts
        return np.array([self._quantile(counts, fraction) for counts in groups])

    def _quantile(self, counts: NDArray[np.int64], fraction: float) -> float:
        """Between the two values nearest in order, as NumPy's default does."""
        below = np.cumsum(counts)
        if not below[-1]:
            return 0.0
        at = fraction * (int(below[-1]) - 1)
        whole = int(at)
        one, next_one = np.searchsorted(below, [whole, min(whole + 1, int(below[-1]) - 1)], "right")
        return self._low + float(one) + (at - whole) * float(next_one - one)

    @property
    def moments(self) -> Moments:
        """Moments of each channel, worked out in whole numbers and rounded once."""
        values = range(self._low, self._low + self._counts.shape[1])
        found = [_whole_moments(values, counts) for counts in self._counts]
        n, mean, std = (np.array(column, np.float64) for column in zip(*found, strict=True))
        return Moments.known(n, mean, std)


def _whole_moments(values: range, counts: NDArray[np.int64]) -> tuple[float, float, float]:
    there = np.flatnonzero(counts)
    n = total = squares = 0
    for index in there.tolist():
        value, count = values[index], int(counts[index])
        n += count
        total += count * value
        squares += count * value**2
    return float(n), total / max(n, 1), sqrt((n * squares - total**2) / max(n, 1) ** 2)


class Held:
    """All values, held in their own dtype: quantiles are exact.

    Parameters
    ----------
    channels, pixels : int
        Number of channels, and of pixels that will come of each.
    dtype : numpy.dtype
        Type of the pixels.
    """

    error = 0.0

    def __init__(self, channels: int, pixels: int, dtype: np.dtype[Any]) -> None:
        self._values = np.empty((channels, pixels), dtype)
        self._n = 0

    def add(self, pixels: NDArray[Any]) -> None:
        """Keep a block."""
        end = self._n + pixels.shape[1]
        self._values[:, self._n : end] = pixels
        self._n = end

    def at(self, fraction: float, pooled: bool) -> NDArray[np.float64]:
        """The quantile of each channel, or of all as one."""
        values = self._values[:, : self._n]
        return quantiles_of([values.ravel()] if pooled else list(values), fraction)


class Drawn:
    """Values drawn at random with replacement, always the same: quantiles have `error_bound`.

    Parameters
    ----------
    channels, pixels : int
        Number of channels, and of pixels that will come of each.
    dtype : numpy.dtype
        Type of the pixels.
    drawn : int
        Values to draw of each channel: the same places in all of them.
    """

    def __init__(self, channels: int, pixels: int, dtype: np.dtype[Any], drawn: int) -> None:
        self._random = np.random.default_rng(pixels)
        self._values = np.empty((channels, drawn), dtype)
        self._n = 0
        self._left = pixels

    def add(self, pixels: NDArray[Any]) -> None:
        """Draw from a block as many as a draw from all pixels would fall into it."""
        size = pixels.shape[1]
        missing = self._values.shape[1] - self._n
        count = int(self._random.binomial(missing, size / self._left))
        places = self._random.integers(0, size, count)
        self._values[:, self._n : self._n + count] = pixels[:, places]
        self._n += count
        self._left -= size

    def at(self, fraction: float, pooled: bool) -> NDArray[np.float64]:
        """The quantile of each channel, or of all as one."""
        values = self._values[:, : self._n]
        return quantiles_of([values.ravel()] if pooled else list(values), fraction)

    @property
    def error(self) -> float:
        """`error_bound` of the channel with the fewest finite values."""
        values = self._values[:, : self._n]
        return error_bound(min(int(_is_finite(channel).sum()) for channel in values))


def quantiles_of(groups: Sequence[NDArray[Any]], fraction: float) -> NDArray[np.float64]:
    """Quantile of the finite values of each group, as NumPy's default; 0 where there are none.

    Between two neighbours it is worked out in float64: the values' own type may not hold their
    difference.
    """
    found = []
    for values in groups:
        finite = _is_finite(values)
        kept = values if finite.all() else values[finite]
        if not kept.size:
            found.append(0.0)
            continue
        at = fraction * (kept.size - 1)
        whole = int(at)
        ends = [whole, min(whole + 1, kept.size - 1)]
        one, next_one = np.partition(kept, ends)[ends].astype(np.float64)
        found.append(float(one + (at - whole) * (next_one - one)))
    return np.array(found)


def _is_finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    finite: NDArray[np.bool_] = (
        np.abs(values) <= LARGEST
        if values.dtype.kind == "f" and values.dtype.itemsize > 4
        else np.isfinite(values)
    )
    return finite
