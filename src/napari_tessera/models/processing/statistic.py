"""Numbers that are measured on an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Statistic:
    """A number that describes the grey levels of a sample, or of a whole series.

    Parameters
    ----------
    kind : {"mean", "std", "quantile", "level"}
        What is measured; the smallest and the largest value are the quantiles 0 and 1. A level is
        an end of what the image's type can hold where that is an integer of 8 bits (0 or 255 of
        uint8), as images of 8 bits are made to fill it; of other types it is a quantile.
    fraction : float
        Of a quantile or level, 0…1; else 0. A level below 0.5 is the type's least value.
    pooled : bool
        Whether all channels are measured as one; else each has a value of its own.
    """

    kind: str
    fraction: float = 0.0
    pooled: bool = False

    def __str__(self) -> str:
        name = f"{self.kind} {self.fraction:g}" if self.is_ordered else self.kind
        return f"{name} of all channels" if self.pooled else name

    @property
    def is_ordered(self) -> bool:
        """Whether it is a value in the order of all, as a quantile is."""
        return self.kind in ("quantile", "level")

    def of_dtype(self, dtype: np.dtype[Any]) -> float | None:
        """Its value where the type of the image alone says it; None where it is measured."""
        if self.kind != "level" or dtype.kind not in "iu" or dtype.itemsize > 1:
            return None
        limits = np.iinfo(dtype)
        return float(limits.min if self.fraction < 0.5 else limits.max)


MEAN = Statistic("mean")
STD = Statistic("std")


def quantile(fraction: float, pooled: bool = False) -> Statistic:
    """The statistic of a quantile, linearly interpolated between neighbours as NumPy does."""
    return Statistic("quantile", float(fraction), pooled)


def level(fraction: float, pooled: bool = False) -> Statistic:
    """The statistic of an end of an 8-bit image's type, or of a quantile of any other image."""
    return Statistic("level", float(fraction), pooled)


class UnknownStatisticError(ValueError):
    """A number that cannot be known without another pass over the image."""


@dataclass(frozen=True)
class SampleStatistics:
    """Values of statistics for one sample.

    Parameters
    ----------
    values : mapping of Statistic to numpy.ndarray
        float64, one value per channel; of a pooled statistic the same value for each.
    """

    values: Mapping[Statistic, Values]

    def __getitem__(self, statistic: Statistic) -> Values:
        try:
            return self.values[statistic]
        except KeyError:
            raise UnknownStatisticError(f"the {statistic} is not known there") from None

    def of_channels(self, chosen: slice) -> SampleStatistics:
        """The values of some channels."""
        return SampleStatistics({key: value[chosen] for key, value in self.values.items()})

    def scaled(self, gain: Values, offset: Values) -> SampleStatistics:
        """Statistics of ``gain · x + offset``.

        Pooled ones are kept only where all channels share gain and offset, quantiles where the
        gain is positive.
        """
        shared = len(set(gain)) < 2 and len(set(offset)) < 2
        kept = {}
        for key, value in self.values.items():
            if key.pooled and not shared:
                continue
            if key.kind == "std":
                kept[key] = np.abs(gain) * value
            elif key.kind == "mean" or (gain > 0).all():
                kept[key] = gain * value + offset
        return SampleStatistics(kept)

    def clipped(self, low: Values, high: Values) -> SampleStatistics:
        """Statistics after clipping: quantiles only, pooled ones if the channels share the ends."""
        shared = len(set(low)) < 2 and len(set(high)) < 2
        return SampleStatistics(
            {
                key: np.clip(value, low, high)
                for key, value in self.values.items()
                if key.is_ordered and (shared or not key.pooled)
            }
        )
