"""Runs over many files off the GUI thread: started, stopped, gone on with."""

from __future__ import annotations

import threading
import time
from functools import partial

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.prediction.several import FilesProgress, Report
from napari_tessera.widgets.files.order import FilesOrder
from napari_tessera.widgets.leash import Leash
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.worker import Job, JobWorker, error_line, start_job

IDLE, RUNNING, STOPPING, STOPPED, DONE, FAILED = (
    "idle",
    "running",
    "stopping",
    "stopped",
    "done",
    "failed",
)
"""States of a runner; failed: the run as a whole, as for a model that cannot be loaded."""

LOOK_MS = 100
"""How often the GUI looks at how far it is."""


class FilesRunner(QObject):
    """One run over many files at a time.

    Parameters
    ----------
    models : ModelCache
        Has the models that were loaded.
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal()
        The state is another.
    progressed : Signal(object)
        A `FilesProgress`, at most ten a second.
    """

    changed = Signal()
    progressed = Signal(object)

    def __init__(self, models: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self.state = IDLE
        self.report: Report | None = None
        """What became of the files of the last run."""
        self.failure = ""
        """Why the last run failed as a whole; empty where it did not."""
        self.warnings: tuple[str, ...] = ()
        """What to know of the cluster that the last run was made by."""
        self.seconds = 0.0
        """How long the last run took."""
        self.order: FilesOrder | None = None
        """What the last run was asked for."""
        self.leash = Leash()
        """Ends the run, by whomever the owner is destroyed."""
        self._models = models
        self._cancel = threading.Event()
        self._worker: JobWorker | None = None
        self._latest: FilesProgress | None = None
        self._began = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def busy(self) -> bool:
        """Whether a run is going on."""
        return self.state in (RUNNING, STOPPING)

    def start(self, order: FilesOrder) -> None:
        """Denoise; nothing happens while a run is going on."""
        if not self.busy:
            self.report = None
            self._start(order)

    def resume(self) -> None:
        """Go on with the run that was stopped."""
        if self.state == STOPPED and self.order is not None:
            self._start(self.order)

    def stop(self) -> None:
        """End the run after the batch at work; what is done stays."""
        if self.state == RUNNING:
            self._cancel.set()
            self._to(STOPPING)

    def forget(self) -> None:
        """Rest again: what was stopped is not gone on with."""
        if not self.busy:
            self.report = None
            self._to(IDLE)

    def close(self) -> None:
        """Let a run end, and tell nobody."""
        self._cancel.set()
        self._timer.stop()
        self._worker = None

    def _start(self, order: FilesOrder) -> None:
        self.order = order
        self.failure = ""
        self.warnings = ()
        self._cancel = threading.Event()
        self.leash.hold([self._cancel])
        self._latest = None
        self._began = time.monotonic()
        work = partial(order.run, self._models, self.report, self._put, self._cancel, self._warn)
        job = Job(work, "denoising files", stand_back=True)
        self._worker = start_job(job, self._on_finished, self._cancel)
        self._timer.start()
        self._to(RUNNING)

    def _put(self, progress: FilesProgress) -> None:
        """Called from the engine's threads."""
        self._latest = progress

    def _warn(self, line: str) -> None:
        """Called from the engine's thread."""
        self.warnings = (*self.warnings, line)

    def _look(self) -> None:
        latest, self._latest = self._latest, None
        if latest is not None:
            self.report = latest.report
            self.progressed.emit(latest)

    def _on_finished(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None or worker.job.outcome is None:
            return
        self._timer.stop()
        self._look()
        self.seconds = time.monotonic() - self._began
        outcome = worker.job.outcome
        if outcome.error is not None:
            self.failure = error_line(outcome.error)
            self._to(FAILED)
            return
        self.report = outcome.value
        self._to(DONE if outcome.value.completed else STOPPED)

    def _to(self, state: str) -> None:
        self.state = state
        self.changed.emit()
