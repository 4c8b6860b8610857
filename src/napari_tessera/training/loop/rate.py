"""The learning rate of each step."""

from __future__ import annotations

import math
from typing import Any

from napari_tessera.training.settings import TrainingSettings

_WARM_UP = 100
"""Steps in which the rate rises to its highest; a tenth of all where they are few."""

_LESS = 0.5
_WAIT = 5
"""What the rate is multiplied with after so many validations without gain, and how many."""


class LearningRate:
    """The learning rate of each step.

    It rises in equal steps first, as averages of the optimizer are of few gradients yet. Then it
    falls to zero along half a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017), or stays until
    validation finds no gain a few times, and is halved.

    Parameters
    ----------
    settings : TrainingSettings
        Highest rate, schedule and number of steps.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._highest = settings.learning_rate
        self._cosine = settings.schedule == "cosine"
        self._steps = settings.steps
        self._warm_up = max(1, min(_WARM_UP, settings.steps // 10))
        self._share = 1.0
        self._waited = 0

    def at(self, step: int) -> float:
        """The rate of a step, the first being 0."""
        if step < self._warm_up:
            return self._highest * (step + 1) / self._warm_up
        if not self._cosine:
            return self._highest * self._share
        done = (step - self._warm_up) / max(1, self._steps - self._warm_up)
        return self._highest * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))

    def validated(self, *, gain: bool) -> None:
        """Take note of a validation."""
        self._waited = 0 if gain else self._waited + 1
        if self._waited >= _WAIT:
            self._share *= _LESS
            self._waited = 0

    def state(self) -> dict[str, Any]:
        """What the next rates depend on, for JSON."""
        return {"share": self._share, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self._share, self._waited = float(state["share"]), int(state["waited"])
