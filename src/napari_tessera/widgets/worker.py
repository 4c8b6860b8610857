"""Work off the GUI thread, with an outcome that always arrives."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.qt.threading import FunctionWorker, create_worker
from qtpy.QtCore import QThreadPool
from superqt.utils import create_worker as create_quiet_worker

from napari_tessera.prediction import cores

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

MODEL_NICENESS = 10
"""By how much the threads of the engine stand back for the GUI thread, as Unix counts it."""


@dataclass(frozen=True)
class Outcome:
    """What came of a job: a value, or the error that ended it.

    Parameters
    ----------
    value : object
        What the job returned; None after an error.
    error : BaseException, optional
        What it raised.
    """

    value: Any = None
    error: BaseException | None = None


def error_line(error: BaseException) -> str:
    """All that an error says, in one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def _nothing() -> None:
    """What a job does that is done."""


class Job:
    """A function for a worker; it never raises, whatever the function does.

    napari's workers lose a RuntimeError (which CUDA's out-of-memory is) on some ways, and show
    others as they are, traceback and all. Here errors are part of the outcome.

    Parameters
    ----------
    function : callable
        What to do; takes nothing.
    description : str
        What napari says is still going on when its window is closed meanwhile.
    stand_back : bool
        Run in a thread of lower priority, where the system has that.
    """

    def __init__(
        self, function: Callable[[], Any], description: str, stand_back: bool = False
    ) -> None:
        self._function = function
        self._description = description
        self._stand_back = stand_back
        self.outcome: Outcome | None = None
        """The outcome, once there is one."""

    def __str__(self) -> str:
        return self._description

    __repr__ = __str__

    def __call__(self) -> None:
        """Do it, and keep the outcome."""
        if not self._stand_back:
            self._work()
            return
        # The pool's threads are lent to others afterwards, and a priority cannot be raised again.
        thread = threading.Thread(target=self._work_standing_back, name="tessera-model")
        thread.start()
        thread.join()

    def _work_standing_back(self) -> None:
        stand_back()
        self._work()

    def _work(self) -> None:
        # napari remembers every task for good: what was worked with is not to be kept by that.
        function, self._function = self._function, _nothing
        try:
            self.outcome = Outcome(function())
        except BaseException as error:
            self.outcome = Outcome(error=error)


class JobWorker(FunctionWorker):  # type: ignore[misc]  # napari has no type information
    """A napari worker that can be told to quit, and leaves Python's warnings alone.

    Parameters
    ----------
    job : Job
        What to do.
    cancel : threading.Event
        Set when napari asks the worker to quit, as it does when its window closes.
    """

    def __init__(self, job: Job, cancel: threading.Event) -> None:
        super().__init__(job)
        self.job = job
        self._cancel = cancel

    def quit(self) -> None:
        """Ask the job to end."""
        self._cancel.set()
        super().quit()

    def run(self) -> None:
        """Do the job and emit ``finished``, always.

        The superclass replaces the process' warning filters while it runs, which is not safe
        beside other threads: two workers that overlap would leave each other's filters behind.
        """
        # At the interpreter's end Qt's side of the signals may be gone before the thread is.
        with suppress(RuntimeError):
            self.started.emit()
        self._running = True
        # Qt has as many threads as there are cores, which one slow model after another would fill:
        # what is asked for last must not wait for them.
        pool = QThreadPool.globalInstance()
        if pool is not None:
            pool.releaseThread()
        self.work()
        if pool is not None:
            pool.reserveThread()
        self._running = False
        with suppress(RuntimeError):
            self.finished.emit()
            self._finished.emit(self)


def start_job(
    job: Job,
    finished: Callable[[], None],
    cancel: threading.Event | None = None,
    *,
    quiet: bool = False,
) -> JobWorker:
    """Start a job in the thread pool.

    Parameters
    ----------
    job : Job
        What to do.
    finished : callable
        Called in the GUI thread when the outcome is there. A method of a QObject is not called
        once that is destroyed.
    cancel : threading.Event, optional
        Set when napari's window closes.
    quiet : bool
        Whether closing the window is no reason to ask and to wait.
    """
    create: Any = create_quiet_worker if quiet else create_worker
    worker: JobWorker = create(
        job, cancel=cancel or threading.Event(), _worker_class=JobWorker, _start_thread=False
    )
    worker.finished.connect(finished)
    worker.start()
    return worker


def stand_back() -> None:
    """Lower the priority of the calling thread and of those it starts, where that can be done.

    Linux counts niceness by thread. Elsewhere it belongs to the process, GUI thread included.
    """
    if not sys.platform.startswith("linux"):
        return
    thread = threading.get_native_id()
    try:
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(own + MODEL_NICENESS, 19))
    except OSError:
        return


def model_threads(model: Model | ChannelModels | None = None) -> int:
    """Threads for a model on the CPU: one core is left to the GUI.

    Parameters
    ----------
    model : Model or ChannelModels, optional
        The model; one that has next to nothing to compute gets as many as everywhere else.
    """
    own = None if model is None else cores.model_threads(model)
    return max(1, cores.usable_cores() - 1) if own is None else own
