"""Jobs off the GUI thread, of which only the newest counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.worker import Job, start_job

AT_ONCE = 2
"""Jobs at work together: the newest, and one that it made outdated and that cannot be ended."""


class NewestJob(QObject):
    """Does what was asked for last; what was asked for before that is never told of.

    What is outdated cannot be ended in mid-work: the newest does not wait for it, as long as no
    more than a few are at work.

    Parameters
    ----------
    description : str
        What is done.
    parent : QObject
        Owner.
    at_once : int, optional
        Jobs that may be at work together.

    Attributes
    ----------
    finished : Signal(object, object)
        What was asked for last, and the `Outcome`.
    """

    finished = Signal(object, object)

    def __init__(self, description: str, parent: QObject, at_once: int = AT_ONCE) -> None:
        super().__init__(parent)
        self._description = description
        self._at_once = at_once
        self._wanted: tuple[Any, Callable[[], Any]] | None = None
        self._at_work: list[tuple[tuple[Any, Callable[[], Any]], Job]] = []

    def ask(self, asked: Any, function: Callable[[], Any]) -> None:
        """Do something, at once or as soon as something at work is done.

        Parameters
        ----------
        asked : object
            What is asked for; comes back with the outcome.
        function : callable
            Does it, in another thread. Nothing of a QObject may be in it: that thread might be the
            last to hold it.
        """
        self._wanted = (asked, function)
        self._start()

    def forget(self) -> None:
        """Want nothing any more; what is at work is not told of."""
        self._wanted = None

    def _start(self) -> None:
        """Start what is wanted, where it is not at work and there is room."""
        wanted = self._wanted
        begun = any(wanted is at_work for at_work, _ in self._at_work)
        if wanted is None or begun or len(self._at_work) >= self._at_once:
            return
        job = Job(wanted[1], self._description)
        self._at_work.append((wanted, job))
        start_job(job, self._on_finished, quiet=True)

    def _on_finished(self) -> None:
        # One call may stand for two that ended together; the other then finds nothing to do.
        over = [(done, job) for done, job in self._at_work if job.outcome is not None]
        self._at_work = [(done, job) for done, job in self._at_work if job.outcome is None]
        for done, job in over:
            if self._wanted is done:
                self._wanted = None
                self.finished.emit(done[0], job.outcome)
        self._start()
