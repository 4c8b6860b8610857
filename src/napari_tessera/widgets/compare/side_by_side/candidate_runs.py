"""Runs candidates one after another, off the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.compare.side_by_side.candidate import (
    DONE,
    FAILED,
    LOADING,
    Candidate,
    problem_text,
)
from napari_tessera.widgets.compare.side_by_side.crop import ViewCrop, run_of
from napari_tessera.widgets.worker import Job, JobWorker, Outcome, start_job

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_tessera.widgets.model_cache import ModelCache

LOOK_MS = 100
"""How often it is looked at what the engine has done, ms."""

_WHAT = "comparing models"


class CandidateRuns(QObject):
    """The queue of candidates over one crop.

    One at a time: beside each other they would share the processor, and no time would be right.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the image is.
    cache : ModelCache
        Models that the dock has loaded, or will want.
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal(object)
        A candidate is further than before.
    input_read : Signal(object)
        The input's pixels, or the error that reading them ended in.
    """

    changed = Signal(object)
    input_read = Signal(object)

    def __init__(self, viewer: ViewerModel, cache: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._cache = viewer, cache
        self._crop: ViewCrop | None = None
        self._waiting: list[Candidate] = []
        self._current: Candidate | None = None
        self._worker: JobWorker | None = None
        self._reader: JobWorker | None = None
        self._reading: ViewCrop | None = None
        """What the reader reads: another crop may have been asked for since."""
        self._paused = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def busy(self) -> bool:
        """Whether a candidate is at work, or its end is waited for."""
        return self._worker is not None

    def begin(self, crop: ViewCrop) -> None:
        """Take another crop: what was asked for is forgotten, and the input is read."""
        self.cancel()
        self._waiting = []
        self._crop = crop
        self._read()

    def add(self, candidate: Candidate) -> None:
        """Let it be a candidate's turn after those before it."""
        candidate.wait()
        self._waiting.append(candidate)
        self.changed.emit(candidate)
        self._next()

    def remove(self, candidate: Candidate) -> None:
        """Take a candidate out; it is ended where it is at work."""
        if candidate in self._waiting:
            self._waiting.remove(candidate)
        if candidate is self._current:
            self.cancel()

    def pause(self, paused: bool) -> None:
        """Let nothing begin for the time being; what was at work begins anew afterwards."""
        if paused == self._paused:
            return
        self._paused = paused
        if paused and self._current is not None:
            again = self._current
            self.cancel()
            again.wait()
            self._waiting.insert(0, again)
            self.changed.emit(again)
        self._next()

    def cancel(self) -> None:
        """End the candidate at work, if any; nobody hears of it any more."""
        current, self._current = self._current, None
        if current is not None and current.run is not None:
            current.run.cancel.set()
        with suppress(RuntimeError):  # it is gone where the dock is destroyed
            self._timer.stop()

    def close(self) -> None:
        """End all."""
        self._waiting = []
        self._crop = None
        self.cancel()

    def _read(self) -> None:
        if self._reader is not None or self._crop is None:
            return
        job = Job(self._crop.read_input, "reading what models are compared on")
        self._reading = self._crop
        self._reader = start_job(job, self._on_read, quiet=True)

    def _on_read(self) -> None:
        reader, self._reader = self._reader, None
        if reader is None or reader.job.outcome is None or self._crop is None:
            return
        if self._reading is not self._crop:
            self._read()
            return
        outcome = reader.job.outcome
        self.input_read.emit(outcome.value if outcome.error is None else outcome.error)

    def _next(self) -> None:
        """Begin with the next one, once the one before is through, cancelled or not."""
        if self._paused or self._worker is not None or not self._waiting or self._crop is None:
            return
        candidate = self._waiting.pop(0)
        try:
            candidate.run = run_of(self._viewer, candidate.request, self._crop)
        except PlanError as error:
            self._fail(candidate, error)
            self._next()
            return
        candidate.state = LOADING
        self._current = candidate
        self._begin(Job(partial(candidate.prepare, self._cache), _WHAT), self._on_prepared)
        self.changed.emit(candidate)

    def _begin(self, job: Job, finished: Callable[[], None]) -> None:
        assert self._current is not None
        assert self._current.run is not None
        self._worker = start_job(job, finished, self._current.run.cancel, quiet=True)

    def _ended(self) -> tuple[Candidate | None, Outcome]:
        """Whose job ended, and how; nobody's where it was cancelled."""
        worker, self._worker = self._worker, None
        outcome = None if worker is None else worker.job.outcome
        if outcome is None:
            return None, Outcome()
        return self._current, outcome

    def _on_prepared(self) -> None:
        candidate, outcome = self._ended()
        if candidate is not None and outcome.error is None:
            candidate.take(outcome.value)
            self._begin(Job(candidate.predict, _WHAT, stand_back=True), self._on_predicted)
            self._timer.start()
            return
        self._current = None
        if candidate is not None and outcome.error is not None:
            self._fail(candidate, outcome.error)
        self._next()

    def _look(self) -> None:
        if self._current is not None and self._current.look():
            self.changed.emit(self._current)

    def _on_predicted(self) -> None:
        candidate, outcome = self._ended()
        self._current = None
        self._timer.stop()
        if candidate is not None and outcome.error is not None:
            self._fail(candidate, outcome.error)
        elif candidate is not None and outcome.value.completed:
            candidate.look()
            candidate.state, candidate.seconds = DONE, outcome.value.seconds
            self.changed.emit(candidate)
        self._next()

    def _fail(self, candidate: Candidate, error: BaseException) -> None:
        candidate.state, candidate.problem = FAILED, problem_text(candidate, error)
        self.changed.emit(candidate)
