"""What a run says while it runs and at its end: a bar, JSON lines, or nothing but trouble."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from napari_tessera import prediction

NAME = "napari-tessera"
JSON_INTERVAL = 0.1
"""Seconds between progress lines, so that 100,000 tiles do not make 100,000 lines."""

LONGEST_LINE = 600

_OPTIONS = {
    "overwrite it": "--overwrite",
    "resume it": "--resume",
    "begin anew": "--overwrite without --resume",
}
"""What ways out that messages name are called on the command line."""


class Reporter:
    """Speaks plain lines on stderr, and the result on stdout. Thread-safe.

    Parameters
    ----------
    debug : bool
        Show the traceback of an error.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self._lock = Lock()
        self._warned: set[str] = set()

    def planned(self, plan: prediction.PredictionPlan) -> None:
        """Say what will be done."""

    def progress(self, state: prediction.Progress) -> None:
        """Say how far it is; called from the engine's threads."""

    def finished(self, text: str, **facts: Any) -> None:
        """Say what was done, in one line on stdout."""
        print(text)

    def warning(self, message: str) -> None:
        """Say what a person should know though all goes on; the same thing once.

        What was said with a name before it, as loading a model does, is not said again without.
        """
        line = one_line(message)
        with self._lock:
            is_new = not any(f": {said}".endswith(f": {line}") for said in self._warned)
            self._warned.add(line)
        if is_new:
            self._warn(line)

    def error(self, error: BaseException) -> None:
        """Say why it failed."""
        if self._debug:
            with self._lock:
                traceback.print_exception(error, file=sys.stderr)
        self._line(f"{NAME}: error: {describe(error)}", "red")

    def stopped(self, message: str, **facts: Any) -> None:
        """Say what is left of an interrupted run."""
        self._line(f"{NAME}: {message}", "yellow")

    def stopping(self) -> bytes:
        """What the signal handler writes."""
        return b"\nstopping after the tiles at work (Ctrl+C again: at once)\n"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the place for what moves on screen while the engine runs."""
        yield

    @contextmanager
    def warnings_as_lines(self) -> Iterator[None]:
        """Show the engine's Python warnings as lines; those for developers stay hidden."""

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            self.warning(str(message))

        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = show
            yield

    @contextmanager
    def logged_as_lines(self, name: str) -> Iterator[None]:
        """Show what a library logs as warnings when all went well.

        Where it did not, the error says it all; what led to it is shown under debug alone.
        """
        logger = logging.getLogger(name)
        logged = _Logged()
        propagated = logger.propagate
        if self._debug:
            yield
            return
        logger.addHandler(logged)
        logger.propagate = False
        try:
            yield
            for message in logged.messages:
                self.warning(message)
        finally:
            logger.propagate = propagated
            logger.removeHandler(logged)

    def _warn(self, line: str) -> None:
        self._line(f"{NAME}: warning: {line}", "yellow")

    def _line(self, text: str, style: str) -> None:
        with self._lock:
            Console(stderr=True).print(Text(text, style=style), soft_wrap=True)


class _Logged(logging.Handler):
    """Keeps warnings, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages[record.getMessage()] = None


class BarReporter(Reporter):
    """Draws a bar where stderr is a terminal."""

    def __init__(self, *, debug: bool = False) -> None:
        super().__init__(debug=debug)
        console = Console(stderr=True)
        self._bar = Progress(*self._columns(), console=console, disable=not console.is_terminal)
        self._task: TaskID | None = None

    def _columns(self) -> Sequence[ProgressColumn]:
        return (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("tiles"),
            TextColumn("{task.fields[speed]}", style="dim"),
            TimeRemainingColumn(),
        )

    def planned(self, plan: prediction.PredictionPlan) -> None:
        """Make the bar as long as the plan."""
        self._task = self._bar.add_task("denoising", total=plan.total_tiles, speed="")

    def progress(self, state: prediction.Progress) -> None:
        """Move the bar; called from the engine's threads."""
        if self._task is not None:
            self._bar.update(
                self._task, completed=state.done, total=state.total, speed=_speed(state)
            )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show the bar."""
        with self._bar:
            yield

    def _line(self, text: str, style: str) -> None:
        with self._lock:
            self._bar.console.print(Text(text, style=style), soft_wrap=True)


class JsonReporter(Reporter):
    """Writes one JSON object per line on stderr, each with an ``"event"``."""

    def __init__(self, *, debug: bool = False) -> None:
        super().__init__(debug=debug)
        self._last = 0.0

    def planned(self, plan: prediction.PredictionPlan) -> None:
        """Event ``planned``."""
        self._event(
            "planned",
            tiles=plan.total_tiles,
            skipped=plan.tiles.n_tiles - plan.total_tiles,
            patch_size=plan.patch_size,
            overlaps=plan.overlaps,
            output_bytes=plan.output_bytes,
            fingerprint=plan.fingerprint,
        )

    def progress(self, state: prediction.Progress) -> None:
        """Event ``progress``, at most ten a second; called from the engine's threads."""
        now = time.monotonic()
        if state.done < state.total and (not state.finished or now - self._last < JSON_INTERVAL):
            return
        self._last = now
        self._event(
            "progress",
            done=state.done,
            total=state.total,
            seconds=round(state.seconds, 3),
            pixels=state.pixels,
            stage_seconds={name: round(busy, 3) for name, busy in state.stage_seconds.items()},
            absent_chunks=state.absent_chunks,
            notices=state.notices,
        )

    def finished(self, text: str, **facts: Any) -> None:
        """Event ``finished``, and the line on stdout."""
        self._event("finished", **facts)
        super().finished(text)

    def error(self, error: BaseException) -> None:
        """Event ``error``, with the traceback under debug."""
        extra = {"traceback": "".join(traceback.format_exception(error))} if self._debug else {}
        self._event("error", message=describe(error), **extra)

    def stopped(self, message: str, **facts: Any) -> None:
        """Event ``stopped``."""
        self._event("stopped", message=message, **facts)

    def stopping(self) -> bytes:
        """Event ``stopping``, for the signal handler."""
        return b'{"event": "stopping"}\n'

    def _warn(self, line: str) -> None:
        self._event("warning", message=line)

    def _event(self, event: str, **facts: Any) -> None:
        text = json.dumps({"event": event, **facts}) + "\n"
        with self._lock:
            sys.stderr.write(text)
            sys.stderr.flush()


def one_line(text: str) -> str:
    """Text without line breaks, cut where it is no message any more."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def describe(error: BaseException) -> str:
    """An error as one line: its message, with the type where the message alone says little."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    text = one_line(str(error))
    for way_out, option in _OPTIONS.items():
        text = text.replace(way_out, f"{way_out} ({option})")
    if text and isinstance(error, ValueError | OSError | MemoryError | IndexError):
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


def _speed(state: prediction.Progress) -> str:
    speed = state.megapixels_per_second
    return "" if speed is None else f"{speed:.1f} MP/s"
