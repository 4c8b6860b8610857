"""Measuring that can be stopped, and that says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event


class MeasuringStoppedError(Exception):
    """The measuring was stopped before its end: there is no result."""


@dataclass(frozen=True)
class MeasuringProgress:
    """How far a measuring is.

    Parameters
    ----------
    part : float
        Of the time that it may take, 0 to 1.
    doing : str
        What is being measured.
    """

    part: float
    doing: str


Tell = Callable[[MeasuringProgress], None]


@dataclass(frozen=True)
class Listener:
    """Whom a measuring tells how far it is, and who may stop it.

    Parameters
    ----------
    cancel : threading.Event, optional
        Looked at between two runs of the model. Once set, `MeasuringStoppedError` is raised.
    progress : callable, optional
        Called with a `MeasuringProgress`, in the thread that measures.
    start, share : float
        Which part of a larger whole this is.
    """

    cancel: Event | None = None
    progress: Tell | None = None
    start: float = 0.0
    share: float = 1.0

    def part(self, start: float, share: float) -> Listener:
        """The same for a part of this whole."""
        return Listener(
            self.cancel, self.progress, self.start + start * self.share, share * self.share
        )

    def at(self, part: float, doing: str) -> None:
        """Say how far it is, and go on unless it was stopped.

        Raises
        ------
        MeasuringStoppedError
            If it was.
        """
        if self.cancel is not None and self.cancel.is_set():
            raise MeasuringStoppedError
        if self.progress is not None:
            self.progress(
                MeasuringProgress(self.start + min(max(part, 0.0), 1.0) * self.share, doing)
            )
