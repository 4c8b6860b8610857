"""What is said, in how many lines, and where."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import sys
import warnings
from pathlib import Path

import pytest

from napari_tessera.cli.bars import BarReporter, short_name
from napari_tessera.cli.json_lines import JsonReporter
from napari_tessera.cli.reporting import (
    LONGEST_LINE,
    Reporter,
    describe,
    json_text,
    one_line,
    table,
    visible,
)
from napari_tessera.prediction import Progress
from napari_tessera.prediction.several import FilesProgress, Report


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(done: int, total: int = 4) -> Progress:
    measured = {"measured_tiles": 2, "measured_pixels": 2_000_000, "measured_seconds": 1.0}
    return Progress(done, total, (), (done,), 2.0, 4_000_000, {"read": 0.1234567}, **measured)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("overlap 57 is odd:\n  use 56 or 58"), "overlap 57 is odd: use 56 or 58"),
        (FileNotFoundError("a.tif does not exist"), "a.tif does not exist"),
        (OSError(errno.ENOSPC, "No space left on device", "out.zarr"), "out.zarr: No space left"),
        (OSError(errno.EFBIG, "no space left for a.npy: make room"), "no space left for a.npy"),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), f"[Errno {errno.EFBIG:d}] "),
        (RuntimeError("CUDA out of memory"), "RuntimeError: CUDA out of memory (--debug"),
        (ValueError(), "ValueError: "),
        (KeyError("axes"), "KeyError: 'axes' (--debug"),
    ],
)
def test_errors_are_one_line(error: Exception, text: str) -> None:
    assert describe(error).startswith(text)
    assert "\n" not in describe(error)


@pytest.mark.parametrize("make", [Reporter, BarReporter, JsonReporter])
def test_a_warning_is_said_once(make: type[Reporter], capsys: pytest.CaptureFixture[str]) -> None:
    reporter = make()
    for message in ("net.zip: it fails by 5", "it fails by 5", "net.zip: it fails by 5", "by 5"):
        reporter.warning(message)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "net.zip: it fails by 5" in lines[0]


def test_endless_messages_are_cut() -> None:
    assert len(one_line("x " * 10_000)) == LONGEST_LINE + 1


EVIL = "a\x1b[31m\x9b2J\n\u202eb é\u202f[red]"
"""A name that colours, clears and turns a terminal's text, and letters and brackets that may be."""
TOLD = r"a\x1b[31m\x9b2J\n\u202eb é" + "\u202f[red]"


def test_names_of_strangers_do_not_reach_a_terminal_as_they_are() -> None:
    assert visible(EVIL) == TOLD
    assert table({"source": EVIL, "chunks": None}, 8) == f"source  {TOLD}"
    text = json_text({EVIL: [EVIL]})
    assert json.loads(text) == {EVIL: [EVIL]}
    assert visible(text.replace("\n", "")) == text.replace("\n", "")
    assert short_name("folder/a\x1bb") == r"a\x1bb"


@pytest.mark.parametrize("make", [Reporter, BarReporter])
def test_whatever_is_said_is_clean(
    make: type[Reporter], capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = make()
    reporter.warning(EVIL)
    reporter.error(ValueError(EVIL))
    reporter.error(OSError(errno.ENOENT, "no such file", EVIL))
    reporter.stopped(EVIL)
    reporter.finished(EVIL)
    out, err = capsys.readouterr()
    assert out == f"{TOLD}\n"
    assert visible(err.replace("\n", "")) == err.replace("\n", "")
    assert err.count("[31m") == 4


def test_brackets_in_names_beside_a_bar_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    reporter = BarReporter()
    reporter.images([], "folder")
    with reporter.running():
        reporter.of_images(FilesProgress(1, 1, "cells[red].tif", Report(()), None, None))
    assert "cells[red].tif" in screen.getvalue()


@pytest.mark.parametrize("reporter", [Reporter(), BarReporter()])
def test_long_lines_are_not_wrapped(reporter: Reporter, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("/a/folder/with/a/long/name") / ("x" * 150)
    reporter.error(FileNotFoundError(f"{path} does not exist [really]"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"napari-tessera: error: {path} does not exist [really]\n"


def test_warnings_become_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter().warnings_as_lines():
        warnings.warn("7 pixels are\nNaN", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "napari-tessera: warning: 7 pixels are NaN\n"


def test_what_a_library_logs_is_said_once_and_only_where_all_went_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger("some_reader")
    before = (logger.propagate, list(logger.handlers))
    with Reporter().logged_as_lines("some_reader"):
        logger.info("reading")
        for _ in range(3):
            logger.warning("plane %d is missing", 7)
    assert capsys.readouterr().err == "napari-tessera: warning: plane 7 is missing\n"

    def fail() -> None:
        with Reporter().logged_as_lines("some_reader"):
            logger.error("invalid offset")
            raise OSError("cut off")

    with pytest.raises(OSError, match="cut off"):
        fail()
    assert capsys.readouterr().err == ""
    assert (logger.propagate, list(logger.handlers)) == before


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for screen, drawn in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", screen)
        reporter = BarReporter()
        reporter._task = reporter._bar.add_task("denoising", total=4, speed="")
        with reporter.running():
            reporter.progress(progress(3))
            reporter.warning("something to know")
        assert ("3/4" in screen.getvalue()) is drawn
        assert ("2.0 MP/s" in screen.getvalue()) is drawn
        assert "something to know" in screen.getvalue()


def test_json_lines_are_few_but_the_last_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter()
    for done in range(1, 1001):
        reporter.progress(progress(done, 1000))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert 2 <= len(events) < 500
    assert events[0]["done"] == 1
    assert events[-1]["done"] == 1000
    assert events[-1]["stage_seconds"] == {"read": 0.123}
    assert events[-1]["notices"] == []


def test_json_says_everything_as_objects(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter(debug=True)
    reporter.warning("line\nbreak")
    reporter.stopped("stopped", done=1)
    try:
        raise ValueError("no")
    except ValueError as error:
        reporter.error(error)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["warning", "stopped", "error"]
    assert lines[0]["message"] == "line break"
    assert "Traceback" in lines[2]["traceback"]
    assert json.loads(reporter.stopping()) == {"event": "stopping"}
    assert json.loads(reporter.ended(EVIL)) == {"event": "stopped", "message": EVIL}
    assert Reporter().ended(EVIL).decode() == f"\nnapari-tessera: {TOLD}\n"
