"""Operations that need a whole prediction, because they measure it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from napari_tessera.models.processing.operations import (
    Operation,
    Standardize,
)
from napari_tessera.models.processing.statistic import SampleStatistics, Statistic
from napari_tessera.models.processing.steps import (
    ClipToOwnStep,
    MatchStep,
    RescaleStep,
    StandardizeStep,
    Step,
)


@dataclass(frozen=True)
class StandardizeOutput(Operation):
    """``(y − mean(y)) / (std(y) + eps)`` with the statistics of the prediction itself."""

    needs_whole_output: ClassVar[bool] = True
    eps: float = 1e-6
    pooled: bool = False

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return StandardizeStep(self.eps, self.pooled)


@dataclass(frozen=True)
class RescaleOutput(Operation):
    """``(y − low(y)) / (high(y) − low(y) + eps)`` with the quantiles of the prediction itself."""

    needs_whole_output: ClassVar[bool] = True
    low_fraction: float = 0.0
    high_fraction: float = 1.0
    eps: float = 1e-6
    pooled: bool = False

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return RescaleStep(self.low_fraction, self.high_fraction, self.eps, self.pooled)


@dataclass(frozen=True)
class ClipOutput(Operation):
    """Cut off what lies beyond quantiles of the prediction itself, or beyond fixed limits.

    Parameters are those of `Clip`.
    """

    needs_whole_output: ClassVar[bool] = True
    low: float | None = None
    high: float | None = None
    low_fraction: float | None = None
    high_fraction: float | None = None
    pooled: bool = False

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return ClipToOwnStep(
            self.low, self.high, self.low_fraction, self.high_fraction, self.pooled
        )


@dataclass(frozen=True)
class MatchMeanVariance(Operation):
    """``(y − mean(y)) / (std(y) + eps) · (std(x) + eps) + mean(x)``, x the input image."""

    needs_whole_output: ClassVar[bool] = True
    eps: float = 1e-6
    pooled: bool = False

    @property
    def needs(self) -> frozenset[Statistic]:
        return Standardize(pooled=self.pooled).needs

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        like_input = Standardize(eps=self.eps, pooled=self.pooled)
        return MatchStep(self.eps, self.pooled, *like_input.moments(statistics, channels))
