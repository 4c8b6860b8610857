"""One job at a time off the GUI thread, of which only the newest counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.worker import Job, start_job


class NewestJob(QObject):
    """Does what was asked for last; what was asked for before that is never told of.

    Parameters
    ----------
    description : str
        What is done.
    parent : QObject
        Owner.

    Attributes
    ----------
    finished : Signal(object, object)
        What was asked for last, and the `Outcome`.
    """

    finished = Signal(object, object)

    def __init__(self, description: str, parent: QObject) -> None:
        super().__init__(parent)
        self._description = description
        self._wanted: tuple[Any, Callable[[], Any]] | None = None
        self._at_work: tuple[tuple[Any, Callable[[], Any]], Job] | None = None

    def ask(self, asked: Any, function: Callable[[], Any]) -> None:
        """Do something, when what is at work is done.

        Parameters
        ----------
        asked : object
            What is asked for; comes back with the outcome.
        function : callable
            Does it, in another thread. Nothing of a QObject may be in it: that thread might be the
            last to hold it.
        """
        self._wanted = (asked, function)
        if self._at_work is None:
            self._start(self._wanted)

    def forget(self) -> None:
        """Want nothing any more; what is at work is not told of."""
        self._wanted = None

    def _start(self, wanted: tuple[Any, Callable[[], Any]]) -> None:
        job = Job(wanted[1], self._description)
        self._at_work = (wanted, job)
        start_job(job, self._on_finished, quiet=True)

    def _on_finished(self) -> None:
        assert self._at_work is not None
        (done, job), self._at_work = self._at_work, None
        wanted = self._wanted
        if wanted is done:
            self._wanted = None
            self.finished.emit(done[0], job.outcome)
        elif wanted is not None:
            self._start(wanted)
