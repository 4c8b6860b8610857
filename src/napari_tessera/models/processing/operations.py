"""Operations on grey levels, and where their numbers come from.

An operation whose numbers are None takes them from the statistics of the input image; `resolve`
turns it into a step, which has all of its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from napari_tessera.models.processing.statistic import (
    SampleStatistics,
    Statistic,
    Values,
    level,
    quantile,
)
from napari_tessera.models.processing.steps import (
    AffineStep,
    BinarizeStep,
    CastStep,
    ClipStep,
    SigmoidStep,
    SoftmaxStep,
    Step,
)

Numbers = tuple[float, ...]
"""One number for all channels, or one for each."""


@dataclass(frozen=True)
class Operation:
    """One operation on the grey levels of a tile or an image."""

    needs_whole_output: ClassVar[bool] = False
    """Whether it needs all pixels of a prediction at once: no tile can be finished alone then."""

    @property
    def needs(self) -> frozenset[Statistic]:
        """Statistics of the input image that it takes its numbers from."""
        return frozenset()

    def measured(self) -> Operation:
        """The same operation with the input image's numbers instead of numbers of its own."""
        return self

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        """The operation with all of its numbers; None where it changes nothing.

        Parameters
        ----------
        statistics : SampleStatistics
            Those of the input image, as it is when the operation gets it.
        channels : int
            Channels of what it is applied to.

        Raises
        ------
        UnknownStatisticError
            If a number cannot be known there.
        ValueError
            If the number of its own numbers is not that of the channels.
        """
        raise NotImplementedError

    def after(self, statistics: SampleStatistics, channels: int) -> SampleStatistics:
        """Statistics of what comes out, where it is the input image that went in."""
        step = self.resolve(statistics, channels)
        if step is None:
            return statistics
        if isinstance(step, AffineStep):
            return statistics.scaled(step.gain, step.offset)
        if isinstance(step, ClipStep):
            return statistics.clipped(step.low, step.high)
        return SampleStatistics({})


def spread_over(numbers: Numbers | Values, channels: int) -> Values:
    """One number per channel: those given, or the one that all share; else a ValueError."""
    values = np.asarray(numbers, np.float64).reshape(-1)
    if values.size == channels:
        return values
    if values.size == 1:
        return np.repeat(values, channels)
    raise ValueError(f"{values.size} numbers for {channels} channels")


def _of_image(values: Values, channels: int) -> Values:
    """Statistics of the image, one per channel: of an output with other channels their mean."""
    return values if values.size == channels else np.repeat(values.mean(), channels)


@dataclass(frozen=True)
class Affine(Operation):
    """``gain · x + offset``."""

    gain: Numbers = (1.0,)
    offset: Numbers = (0.0,)

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return AffineStep(spread_over(self.gain, channels), spread_over(self.offset, channels))


@dataclass(frozen=True)
class Standardize(Operation):
    """``(x − mean) / (std + eps)``.

    Parameters
    ----------
    mean, std : tuple of float or None
        None: those of the input image.
    eps : float
        Keeps a constant image from dividing by zero.
    pooled : bool
        Whether the image's statistics are of all channels as one.
    """

    mean: Numbers | None = None
    std: Numbers | None = None
    eps: float = 1e-6
    pooled: bool = False

    @property
    def needs(self) -> frozenset[Statistic]:
        of_image = {
            "mean": self.mean is None,
            "std": self.std is None,
        }
        return frozenset(Statistic(k, 0.0, self.pooled) for k, wanted in of_image.items() if wanted)

    def measured(self) -> Standardize:
        return replace(self, mean=None, std=None)

    def moments(self, statistics: SampleStatistics, channels: int) -> tuple[Values, Values]:
        """Mean and std + eps, one per channel."""
        mean, std = (
            spread_over(own, channels)
            if own is not None
            else _of_image(statistics[Statistic(kind, 0.0, self.pooled)], channels)
            for kind, own in (("mean", self.mean), ("std", self.std))
        )
        return mean, std + self.eps

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        mean, scale = self.moments(statistics, channels)
        return AffineStep.dividing(mean, scale)


@dataclass(frozen=True)
class Rescale(Operation):
    """``(x − low) / (high − low + eps)``.

    Parameters
    ----------
    low, high : tuple of float or None
        None: the quantiles of the input image.
    low_fraction, high_fraction : float
        Which quantiles, 0…1.
    eps : float
        Keeps a constant image from dividing by zero.
    pooled : bool
        Whether the image's quantiles are of all channels as one.
    by_type : bool
        Whether images of 8 bits are rescaled by what their type can hold (divided by 255) instead.
    """

    low: Numbers | None = None
    high: Numbers | None = None
    low_fraction: float = 0.0
    high_fraction: float = 1.0
    eps: float = 1e-8
    pooled: bool = False
    by_type: bool = False

    @property
    def needs(self) -> frozenset[Statistic]:
        ends = ((self.low, self.low_fraction), (self.high, self.high_fraction))
        return frozenset(self._end(at) for own, at in ends if own is None)

    def _end(self, fraction: float) -> Statistic:
        return (level if self.by_type else quantile)(fraction, self.pooled)

    def measured(self) -> Rescale:
        return replace(self, low=None, high=None)

    def ends(self, statistics: SampleStatistics, channels: int) -> tuple[Values, Values]:
        """Low, and high − low + eps, one per channel."""
        low, high = (
            spread_over(own, channels)
            if own is not None
            else _of_image(statistics[self._end(at)], channels)
            for own, at in ((self.low, self.low_fraction), (self.high, self.high_fraction))
        )
        return low, high - low + self.eps

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        low, scale = self.ends(statistics, channels)
        return AffineStep.dividing(low, scale)


@dataclass(frozen=True)
class Clip(Operation):
    """Cut off below ``low`` and above ``high``.

    Parameters
    ----------
    low, high : float or None
        None: a quantile of the input image, or no limit where there is no fraction either.
    low_fraction, high_fraction : float or None
        Which quantiles, 0…1.
    pooled : bool
        Whether the image's quantiles are of all channels as one.
    """

    low: float | None = None
    high: float | None = None
    low_fraction: float | None = None
    high_fraction: float | None = None
    pooled: bool = False

    @property
    def needs(self) -> frozenset[Statistic]:
        fractions = (self.low_fraction, self.high_fraction)
        return frozenset(quantile(at, self.pooled) for at in fractions if at is not None)

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        low, high = (
            _of_image(statistics[quantile(at, self.pooled)], channels)
            if at is not None
            else np.full(channels, without if own is None else own)
            for own, at, without in (
                (self.low, self.low_fraction, -np.inf),
                (self.high, self.high_fraction, np.inf),
            )
        )
        return ClipStep(low, high)


@dataclass(frozen=True)
class Sigmoid(Operation):
    """``1 / (1 + exp(−x))``."""

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return SigmoidStep()


@dataclass(frozen=True)
class Softmax(Operation):
    """``exp(x) / Σ exp(x)`` over the channels."""

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return SoftmaxStep()


@dataclass(frozen=True)
class Binarize(Operation):
    """1 where ``x > threshold``, else 0."""

    threshold: Numbers

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return BinarizeStep(spread_over(self.threshold, channels))


@dataclass(frozen=True)
class EnsureDtype(Operation):
    """Cut down to what a dtype can hold, fractions too; the values go on as float32.

    Parameters
    ----------
    dtype : str
        A NumPy dtype. float32 and float64 change nothing here.
    """

    dtype: str

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return None if self.dtype in ("float32", "float64") else CastStep(self.dtype)
