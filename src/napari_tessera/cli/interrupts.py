"""Stopping in good order when someone, or the machine, asks for it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from threading import Event
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(BaseException):
    """A signal came while there was nothing to be finished.

    Parameters
    ----------
    signum : int
        The signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Interrupts:
    """Turns SIGINT and SIGTERM into a cancel event while inside the ``with`` block.

    Before `guard` the first signal raises `Interrupted`; from then on it sets `cancel`, and who
    runs looks at it. A second SIGINT ends the process at once.

    A command's whole process has one of its own, that it listens with from its first line. When a
    block inside it ends, the work is over: nothing listens any more, and the exit status is what
    came of the work. A block inside it does not begin once a signal was heard.

    Parameters
    ----------
    stopping : callable, optional
        Gives the bytes that tell a person that the signal was heard. They are written by the
        signal handler, around all of Python's buffers.

    Attributes
    ----------
    cancel : threading.Event
        Set by the first signal.
    signum : int or None
        The first signal.
    """

    def __init__(self, stopping: Callable[[], bytes] = bytes) -> None:
        self.cancel = Event()
        self.signum: int | None = None
        self._stopping = stopping
        self._at_once: Callable[[], bytes] = bytes
        self._guarded = False
        self._held = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        """Listen.

        Raises
        ------
        Interrupted
            If the process's own one heard a signal, and what it raised was lost in a callback.
        """
        for signum in SIGNALS:
            outer = getattr(signal.getsignal(signum), "__self__", None)
            if isinstance(outer, Interrupts) and outer.signum is not None:
                raise Interrupted(outer.signum)
        self.listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for signum, before in self._before.items():
            of_process = isinstance(getattr(before, "__self__", None), Interrupts)
            signal.signal(signum, signal.SIG_IGN if of_process else before)

    def listen(self) -> None:
        """Take the signals, for good where no ``with`` block ends it."""
        for signum in SIGNALS:
            self._before[signum] = signal.signal(signum, self._handle)

    def ignore(self) -> None:
        """Let signals pass unheard, as all is over and the exit status stands.

        Unlike a handler this lasts until the interpreter has ended.
        """
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)

    @property
    def exit_status(self) -> int:
        """128 plus the signal's number: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + (self.signum or 0)

    @property
    def came_early(self) -> bool:
        """Whether a signal came before `guard`.

        Where what it raised was lost in an import, modules that were loaded by half raise any error
        later: it tells of nothing but the signal.
        """
        return self.signum is not None and not self._guarded

    def guard(self, at_once: Callable[[], bytes] = bytes) -> None:
        """From now on a signal only sets `cancel`.

        Parameters
        ----------
        at_once : callable, optional
            Gives the bytes that tell a person what is left where a second SIGINT ends the process.

        Raises
        ------
        Interrupted
            If one came before, and what it raised was lost in a callback of someone else.
        """
        if self.signum is not None:
            raise Interrupted(self.signum)
        self._at_once = at_once
        self._guarded = True

    def load(self, module: str) -> None:
        """Import a module whose compiled parts end the process where a signal raises in them.

        Raises
        ------
        Interrupted
            Afterwards, if one came.
        """
        self._held = True
        try:
            import_module(module)
        finally:
            self._held = False
        if self.signum is not None:
            raise Interrupted(self.signum)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is None:
            self.signum = signum
            self.cancel.set()
            if self._held:
                return
            if not self._guarded:
                raise Interrupted(signum)
            os.write(2, self._stopping())
        elif signum == signal.SIGINT:
            try:
                if sys.stderr.isatty():
                    os.write(2, SHOW_CURSOR)
                os.write(2, self._at_once())
            finally:
                os._exit(self.exit_status)
