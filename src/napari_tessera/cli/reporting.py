"""What a run says while it runs and at its end, in plain lines; bars and JSON build on it."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from napari_tessera import prediction
    from napari_tessera.prediction.several import FileEntry, FilesProgress, Found

NAME = "napari-tessera"
LONGEST_LINE = 600

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, colours or turns its text, or ends a line."""

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

    def images(self, found: Sequence[Found], folder: str) -> None:
        """Say which images there are for a run over several."""

    def image(self, number: int, total: int, entry: FileEntry) -> None:
        """Say what becomes of one of several images: that it is begun, or how it ended."""
        if entry.state == "failed":
            self._line(f"{NAME}: error: {with_options(failure_line(entry))}", "red")

    def of_images(self, state: FilesProgress) -> None:
        """Say how far a run over several images is; called from the engine's threads."""

    def estimated(self, facts: Mapping[str, Any], text: str) -> None:
        """Say what a run would take, which is all that was asked for."""
        print(text)

    def finished(self, text: str, **facts: Any) -> None:
        """Say what was done, in one line on stdout."""
        print(visible(text))

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

    def ended(self, message: str) -> bytes:
        """What the signal handler writes of a run that it ends at once."""
        return f"\n{NAME}: {visible(message)}\n".encode(errors="backslashreplace")

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
        self._print(Console(stderr=True), text, style)

    def _print(self, console: Console, text: str, style: str) -> None:
        with self._lock:
            console.print(Text(visible(text), style=style), soft_wrap=True)


class _Logged(logging.Handler):
    """Keeps warnings, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages[record.getMessage()] = None


def visible(text: str) -> str:
    r"""One line of text with escapes, ``\x1b``, in the place of what a terminal would obey.

    Names of files and channels are a stranger's: they may hold anything.
    """
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def table(lines: Mapping[str, str | None], width: int) -> str:
    """Facts under each other, behind names that are padded to a width; empty ones left out."""
    return "\n".join(f"{name:<{width}}{visible(text)}" for name, text in lines.items() if text)


def json_text(value: Any) -> str:
    """JSON that people can read too, and a terminal does not obey."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # the line breaks are JSON's own: those of values are escaped
    return _CONTROLS.sub(
        lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text
    )


def one_line(text: str) -> str:
    """Text without line breaks, cut where it is no message any more."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def describe(error: BaseException) -> str:
    """An error as one line: its message, with the type where the message alone says little."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        if error.filename is not None:
            return one_line(f"{error.filename}: {error.strerror}")
        if error.strerror != os.strerror(error.errno):
            # words of our own, which need no number of the system's before them
            text = error.strerror
    text = with_options(one_line(text))
    if text and isinstance(error, ValueError | OSError | MemoryError | IndexError):
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


def with_options(text: str) -> str:
    """A message whose ways out have the options of the command line beside them."""
    for way_out, option in _OPTIONS.items():
        text = text.replace(way_out, f"{way_out} ({option})")
    return text


def failure_line(entry: FileEntry) -> str:
    """Why one of several images failed, with its name before it where the message lacks that."""
    line = one_line(entry.message)
    return line if entry.source in line else f"{entry.source}: {line}"
