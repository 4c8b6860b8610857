"""The training that was stopped before it was through, where the next one could go on with it."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.training.places import unfinished
from napari_tessera.widgets.training.unfinished import Unfinished, read_unfinished
from napari_tessera.widgets.training.words import steps_text

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_tessera.widgets.training.request import TrainingRequest
    from napari_tessera.widgets.worker import Outcome


class StoppedTraining(QObject):
    """Looks for what can go on, and knows what turned out to be of another image.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal()
        `found` or `problem` is another than before.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.found: Unfinished | None = None
        """What can go on; None where nothing can."""
        self.problem = ""
        """Why what is there cannot be read."""
        self._path: Path | None = None
        self._broken: set[Path] = set()
        self._others: set[tuple[Path, tuple[Hashable, ...]]] = set()
        self._looks = NewestJob("looking for stopped trainings", self)
        self._looks.finished.connect(self._on_read)

    def look(self, path: Path | None) -> None:
        """Find out whether the training of a model was begun before."""
        self.found, self.problem = None, ""
        self._path = path
        if path is not None and unfinished(path):
            self._looks.ask(path, partial(read_unfinished, path))
        else:
            self._looks.forget()

    def forget(self) -> None:
        """Nothing can go on, until somebody looks again."""
        self.look(None)

    def is_of_others(self, request: TrainingRequest) -> None:
        """Remember that what lies beside a model is of a training on something else."""
        self._others.add((request.model_out, _taught_by(request)))

    def others(self, *layers: Layer | str | None) -> set[Path]:
        """Models whose stopped trainings are known not to be on this image, clean image and mask.

        Those that cannot be read are among them.

        Parameters
        ----------
        *layers : napari.layers.Layer, str or None
            As in a `TrainingRequest`.
        """
        on = tuple(map(_identity, layers))
        return self._broken.union(path for path, other in self._others if other == on)

    @property
    def text(self) -> str:
        """What can go on, in a line."""
        if self.found is None:
            return ""
        done, steps = steps_text(self.found.step), self.found.settings.steps
        return f"A training was stopped after {done} of {steps:,}: Continue training goes on"

    def _on_read(self, path: Path, outcome: Outcome) -> None:
        if path == self._path:
            self.found = outcome.value
            self.problem = "" if self.found is not None else str(outcome.error)
            if self.problem:
                self._broken.add(path)
            self.changed.emit()


def _taught_by(request: TrainingRequest) -> tuple[Hashable, ...]:
    """What a training learns from, to be compared."""
    return tuple(map(_identity, (request.layer, request.target, request.mask)))


def _identity(layer: Layer | str | None) -> Hashable:
    return layer if layer is None or isinstance(layer, str) else layer.unique_id
