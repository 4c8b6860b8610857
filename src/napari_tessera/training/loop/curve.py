"""The losses of a training: smoothed for people, and as a curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_tessera.training.loop.progress import Loss
from napari_tessera.training.settings import TrainingSettings

_KEPT = 0.98
"""Share of the old in the smoothed loss, at each step."""

_MOST_POINTS = 1000


class Curve:
    """The losses of a training.

    Losses are left on the device until somebody asks: waiting for each would slow a GPU down.

    Parameters
    ----------
    settings : TrainingSettings
        Number of steps and of those between validations.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._every = max(1, min(settings.validate_every // 10, 20), settings.steps // _MOST_POINTS)
        self._pending: list[Tensor] = []
        self._sum = self._weight = 0.0
        self._since: list[float] = []
        self.points: list[Loss] = []
        self.validated: float | None = None
        """The last loss of a validation."""

    def add(self, loss: Tensor) -> None:
        """Take the loss of a step, a scalar on any device."""
        self._pending.append(loss)

    @property
    def smoothed(self) -> float | None:
        """Mean over the last steps, older ones counting less; None before the first step."""
        self._read()
        return self._sum / self._weight if self._weight else None

    @property
    def is_finite(self) -> bool:
        """Whether every loss so far was a number."""
        self._read()
        return math.isfinite(self._sum)

    def is_due(self, step: int) -> bool:
        """Whether the curve has a point after a number of steps."""
        return step % self._every == 0

    def mark(self, step: int, validated: float | None) -> None:
        """Add a point to the curve; nothing where no step was taken since the last one."""
        self._read()
        if validated is not None:
            self.validated = validated
        if self._since:
            mean = math.fsum(self._since) / len(self._since)
            self.points.append((step, mean, validated))
            self._since = []

    def state(self) -> dict[str, Any]:
        """All of it, for JSON."""
        self._read()
        return {
            "sum": self._sum,
            "weight": self._weight,
            "since": list(self._since),
            "points": [list(point) for point in self.points],
            "validated": self.validated,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._sum, self._weight = float(state["sum"]), float(state["weight"])
        self.validated = _number(state["validated"])
        self._since = [float(one) for one in state["since"]]
        self.points = [
            (int(step), float(loss), _number(validated))
            for step, loss, validated in state["points"]
        ]

    def _read(self) -> None:
        if not self._pending:
            return
        read: list[float] = torch.stack([one.float() for one in self._pending]).tolist()
        self._pending = []
        for one in read:
            self._sum = _KEPT * self._sum + (1 - _KEPT) * one
            self._weight = _KEPT * self._weight + (1 - _KEPT)
        self._since += read


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
