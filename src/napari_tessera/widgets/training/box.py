"""What a training tells from its thread, to be looked at by the GUI thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.training import Trainer, TrainingProgress
    from napari_tessera.training.data.source import Statistics

MOST_POINTS = 2000
"""Points of a curve that are kept: more than a dock has pixels."""


@dataclass(frozen=True)
class Curve:
    """Losses so far.

    Parameters
    ----------
    training, validation : tuple of (int, float)
        Step and loss.
    """

    training: tuple[tuple[int, float], ...] = ()
    validation: tuple[tuple[int, float], ...] = ()

    def with_point(self, step: int, training: float | None, validation: float | None) -> Curve:
        """The curve with another point; where there are too many, every second one goes.

        A validation loss that is the last one again was not measured anew.
        """
        curve = self
        if training is not None:
            curve = replace(curve, training=_thinned((*curve.training, (step, training))))
        last = curve.validation[-1][1] if curve.validation else None
        if validation is not None and validation != last:
            curve = replace(curve, validation=_thinned((*curve.validation, (step, validation))))
        return curve


def _thinned(points: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    return points if len(points) <= MOST_POINTS else (*points[:-1:2], points[-1])


@dataclass(frozen=True)
class Live:
    """A training that has begun, for previews.

    Parameters
    ----------
    trainer : Trainer
        Gives the weights of the moment.
    """

    trainer: Trainer

    @property
    def statistics(self) -> Statistics:
        """Grey levels that the network is trained with."""
        return self.trainer.data.statistics


@dataclass
class TrainingBox:
    """Filled by the thread that trains, emptied by the one that shows.

    Attributes
    ----------
    live : Live or None
        The training, once it has begun.
    """

    _curve: Curve = field(default_factory=Curve)
    live: Live | None = None
    _progress: TrainingProgress | None = None
    _notices: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, progress: TrainingProgress) -> None:
        """Take in how far the training is."""
        with self._lock:
            self._progress = progress
            self._curve = self._curve.with_point(
                progress.step, progress.training_loss, progress.validation_loss
            )
            if progress.notice:
                self._notices.append(progress.notice)

    def say(self, notice: str) -> None:
        """Take in a line that people should see."""
        with self._lock:
            self._notices.append(notice)

    def now(self) -> tuple[TrainingProgress | None, Curve]:
        """How far it is, and the losses."""
        with self._lock:
            return self._progress, self._curve

    def look(self) -> tuple[TrainingProgress | None, Curve, tuple[str, ...]]:
        """How far it is, the losses, and what is new that people should know: given once."""
        with self._lock:
            notices, self._notices = tuple(self._notices), []
            return self._progress, self._curve, notices
