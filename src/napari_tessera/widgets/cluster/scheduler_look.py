"""What a Dask scheduler says of itself: asked once, with no client made."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.prediction.cluster.addresses import (
    DEFAULT_PORT,
    check_reachable,
    open_to_others,
    parse_scheduler,
)
from napari_tessera.prediction.cluster.errors import dask_distributed
from napari_tessera.prediction.cluster.greeting import greet

EXAMPLE = f"tcp://HOST:{DEFAULT_PORT}"
"""An address as people type it."""

MOST_SECONDS = 4.0
"""How long an answer is waited for."""


class SchedulerError(ValueError):
    """A scheduler that cannot be used, and why: one line."""


@dataclass(frozen=True)
class SchedulerLook:
    """What a scheduler has to work with.

    Parameters
    ----------
    n_workers, n_threads : int or None
        Worker processes, and their threads together; None where it does not tell.
    warning : str
        What to know of the way there; empty where there is nothing.
    """

    n_workers: int | None
    n_threads: int | None
    warning: str = ""

    @property
    def text(self) -> str:
        """``"3 workers, 12 threads"``."""
        if self.n_workers is None or self.n_threads is None:
            return "a scheduler is there"
        return f"{_number(self.n_workers, 'worker')}, {_number(self.n_threads, 'thread')}"


def checked_address(text: str) -> str:
    """A scheduler's address as people type it, with scheme and port.

    Raises
    ------
    SchedulerError
        If it is none.
    """
    typed = text.strip()
    if not typed:
        raise SchedulerError(f"type the address of the scheduler: {EXAMPLE}")
    try:
        return str(parse_scheduler(typed))
    except ValueError:
        shown = typed if len(typed) <= 80 else f"{typed[:79]}…"
        raise SchedulerError(f"{shown} is no address of a Dask scheduler: type {EXAMPLE}") from None


def look_at_scheduler(address: str, most_seconds: float = MOST_SECONDS) -> SchedulerLook:
    """Ask a scheduler which workers it has. Takes up to seconds: not for the GUI thread.

    Parameters
    ----------
    address : str
        As `checked_address` gives it.
    most_seconds : float
        How long to wait for it.

    Raises
    ------
    SchedulerError
        If Dask is not installed, its configuration lacks what the address needs, or no scheduler
        answers there in time.
    """
    scheduler = parse_scheduler(address)
    try:
        dask_distributed()
        warning = open_to_others(scheduler) or ""
        check_reachable(scheduler, most_seconds)
        said = greet(address, most_seconds)
    except OSError as error:
        raise SchedulerError(str(error)) from None
    return SchedulerLook(said.get("n_workers"), said.get("total_threads"), warning)


def _number(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
