"""Operations that undo others: they bring a prediction back to grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_tessera.models.processing.operations import (
    Affine,
    Operation,
    Rescale,
    Standardize,
)
from napari_tessera.models.processing.statistic import SampleStatistics, Statistic
from napari_tessera.models.processing.steps import (
    AffineStep,
    Step,
)


@dataclass(frozen=True)
class Undo(Operation):
    """The inverse of a `Standardize` or `Rescale`: brings a prediction back to grey levels."""

    of: Standardize | Rescale

    @property
    def needs(self) -> frozenset[Statistic]:
        return self.of.needs

    def measured(self) -> Undo:
        return Undo(self.of.measured())

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        of = self.of
        offset, scale = (
            of.moments(statistics, channels)
            if isinstance(of, Standardize)
            else of.ends(statistics, channels)
        )
        return AffineStep(scale, offset)


@dataclass(frozen=True)
class Inverse(Operation):
    """Like `Undo`, but with numbers that came with the model as an operation of their own.

    Parameters
    ----------
    written : Affine or Standardize
        As the model's file writes it.
    of : Standardize or Rescale
        What it undoes.
    """

    written: Affine | Standardize
    of: Standardize | Rescale

    def measured(self) -> Undo:
        return Undo(self.of.measured())

    def resolve(self, statistics: SampleStatistics, channels: int) -> Step | None:
        return self.written.resolve(statistics, channels)


def undoes(operation: Affine | Standardize, of: Standardize | Rescale) -> bool:
    """Whether an operation is the inverse of another to three digits; both have their numbers."""
    if operation.needs or of.needs:
        return False
    channels = max(_count(operation), _count(of))
    try:
        first, second = (step.resolve(SampleStatistics({}), channels) for step in (of, operation))
    except ValueError:
        return False
    assert isinstance(first, AffineStep)
    assert isinstance(second, AffineStep)
    both = first.then(second)
    # in grey levels: as large as the image's own spread and offset
    size = np.abs(first.offset / first.gain) + np.abs(1 / first.gain)
    is_same = np.abs(both.gain - 1) < _SAME
    return bool((is_same & (np.abs(both.offset) < _SAME * size)).all())


_SAME = 1e-3
"""Relative difference up to which numbers in a file count as each other's inverse."""


def _count(step: Operation) -> int:
    """Channels that an operation has numbers for."""
    names = ("gain", "offset", "mean", "std", "low", "high")
    return max(len(getattr(step, name, None) or ()) for name in names) or 1
