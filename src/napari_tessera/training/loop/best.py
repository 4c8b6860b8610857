"""The averaged weights that validation liked best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from napari_tessera.training.loop.average import AveragedWeights
from napari_tessera.training.loop.validating import Validation


class Best:
    """Remembers the averaged weights that validation liked best, and how the last ones did."""

    def __init__(self) -> None:
        self.state: dict[str, Tensor] = {}
        """The best weights so far, on the CPU."""
        self.without_gain = 0
        """Validations since."""
        self._step = 0
        self._best: Validation | None = None
        self._last: Validation | None = None

    def validated(self, step: int, found: Validation, average: AveragedWeights) -> bool:
        """Take note of a validation; True where it is the best so far.

        Parameters
        ----------
        step : int
            Steps done.
        found : Validation
            Of the averaged weights.
        average : AveragedWeights
            The weights.
        """
        self._last = found
        if self._best is not None and found.loss >= self._best.loss:
            self.without_gain += 1
            return False
        self._best, self._step, self.without_gain = found, step, 0
        self.state = average.state()
        return True

    def better_than_last(self) -> tuple[int, dict[str, Tensor]] | None:
        """Step and weights of the best, where they surely are better than the last ones.

        Few pixels may be held out, and then the best of many is the luckiest.
        """
        if self._best is None or self._last is None:
            return None
        if not self._best.is_surely_below(self._last):
            return None
        return self._step, self.state

    def values(self) -> dict[str, Any]:
        """What is no tensor, for JSON."""
        return {
            "step": self._step,
            "without_gain": self.without_gain,
            "best": list(self._best.losses) if self._best else None,
            "last": list(self._last.losses) if self._last else None,
        }

    def restore(self, state: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take up `state` and `values`."""
        self.state = dict(state)
        self._step, self.without_gain = int(values["step"]), int(values["without_gain"])
        self._best, self._last = (
            Validation(tuple(map(float, values[name]))) if values[name] else None
            for name in ("best", "last")
        )
        if self._best and self._last and len(self._best.losses) != len(self._last.losses):
            raise ValueError("validations of different patches")
