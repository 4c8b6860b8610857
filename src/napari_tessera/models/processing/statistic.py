"""Numbers that are measured on an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Statistic:
    """A number that describes the grey levels of a sample, or of a whole series.

    Parameters
    ----------
    kind : {"mean", "std", "quantile"}
        What is measured; the smallest and the largest value are the quantiles 0 and 1.
    fraction : float
        Of a quantile, 0…1; else 0.
    pooled : bool
        Whether all channels are measured as one; else each has a value of its own.
    """

    kind: str
    fraction: float = 0.0
    pooled: bool = False

    def __str__(self) -> str:
        name = f"quantile {self.fraction:g}" if self.kind == "quantile" else self.kind
        return f"{name} of all channels" if self.pooled else name


MEAN = Statistic("mean")
STD = Statistic("std")


def quantile(fraction: float, pooled: bool = False) -> Statistic:
    """The statistic of a quantile, linearly interpolated between neighbours as NumPy does."""
    return Statistic("quantile", float(fraction), pooled)


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
                if key.kind == "quantile" and (shared or not key.pooled)
            }
        )
