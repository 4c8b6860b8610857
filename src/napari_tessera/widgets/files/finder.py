"""Looks for images in folders off the GUI thread; only what was asked for last counts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.prediction.several import Found, find_images
from napari_tessera.widgets.leash import Leash
from napari_tessera.widgets.worker import Job, JobWorker, error_line, start_job

LOOK_MS = 150
"""How often the GUI looks at what was found."""


class Finder(QObject):
    """Finds images, and tells of them as they are found.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    found : Signal(object)
        All images found so far, a list of `Found`.
    finished : Signal(str)
        All are found; why it failed, or empty.
    leash : Leash
        Ends the search, by whomever the owner is destroyed.
    """

    found = Signal(object)
    finished = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.leash = Leash()
        self._cancel = threading.Event()
        self._worker: JobWorker | None = None
        self._images: list[Found] = []
        self._told = 0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def busy(self) -> bool:
        """Whether it is looking."""
        return self._worker is not None

    def find(self, sources: Sequence[Path], axes: str | None, out: Path | None) -> None:
        """Look for images; what was being looked for is dropped."""
        self.stop()
        self._images, self._told = [], 0
        images: list[Found] = self._images
        self._cancel = threading.Event()
        self.leash.hold([self._cancel])
        work = partial(
            find_images,
            list(sources),
            axes=axes,
            leave_out=out,
            found=images.append,
            cancel=self._cancel,
        )
        job = Job(work, "looking for images")
        self._worker = start_job(job, self._on_finished, self._cancel, quiet=True)
        self._timer.start()

    def stop(self) -> None:
        """Look no more, and tell nobody."""
        self._cancel.set()
        self._timer.stop()
        self._worker = None

    def _look(self) -> None:
        if len(self._images) != self._told:
            self._told = len(self._images)
            self.found.emit(list(self._images))

    def _on_finished(self) -> None:
        worker = self._worker
        # that of a search that was dropped comes here too
        if worker is None or worker.job.outcome is None:
            return
        self._worker = None
        self._timer.stop()
        self._told = -1
        self._look()
        error = worker.job.outcome.error
        self.finished.emit("" if error is None else error_line(error))
