"""What a training says while it runs."""

from __future__ import annotations

import io
import json
import math
import sys
from typing import Any

import pytest

from napari_tessera.cli.training_reporting import (
    BarTrainingReporter,
    JsonTrainingReporter,
    TrainingReporter,
    clock,
    losses,
    speed,
)
from napari_tessera.training import TrainingPlan, TrainingProgress, TrainingSettings
from napari_tessera.training.data.source import Statistics


class Data:
    """What a reporter asks of the data, without an image behind it."""

    channels = 2
    patches = 300
    fingerprint = "f00d"
    statistics = Statistics((10.0, 20.0), (1.0, 2.0))


def plan(steps: int = 400) -> TrainingPlan:
    settings = TrainingSettings(steps=steps, patch_size=(64, 64), batch_size=16)
    return TrainingPlan(settings, Data(), "in.tif", "", ("a line on what comes", "and [another]"))  # type: ignore[arg-type]


def progress(step: int, steps: int = 400, **changes: Any) -> TrainingProgress:
    facts: dict[str, Any] = {
        "seconds": 12.3456,
        "seconds_left": 3601.4,
        "patches_per_second": 812.3,
        "training_loss": 0.48214,
        "validation_loss": 0.49117,
        "batch_size": 16,
        "learning_rate": 4e-4,
    }
    return TrainingProgress(step, steps, **(facts | changes))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00:00"), (59.6, "0:01:00"), (3601.4, "1:00:01"), (-1, "0:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_only_what_is_known_is_said() -> None:
    assert losses(progress(1)) == "loss 0.482, held out 0.491"
    assert losses(progress(1, validation_loss=None)) == "loss 0.482"
    assert losses(progress(0, training_loss=None, validation_loss=None)) == ""
    assert speed(progress(1)) == "812 patches/s"
    assert speed(progress(1, patches_per_second=2.34)) == "2.3 patches/s"
    assert speed(progress(1, patches_per_second=None)) == ""


@pytest.mark.parametrize("make", [Terminal, io.StringIO])
def test_a_bar_is_drawn_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, make: type[io.StringIO]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = make()
    monkeypatch.setattr(sys, "stderr", screen)
    reporter = BarTrainingReporter()
    reporter.begins(plan())
    with reporter.running():
        reporter.trained(progress(123))
        reporter.warning("something to know")
    said = screen.getvalue()
    drawn = screen.isatty()
    whole = ("123/400", "loss 0.482, held out 0.491", "812 patches/s", "1:00:01 left")
    for part in (*whole, "and [another]"):
        assert (part in said) is drawn, part
    assert "something to know" in said


def test_json_lines_are_few_but_the_last_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonTrainingReporter()
    reporter.begins(plan(1000))
    for step in range(1, 1001):
        reporter.trained(progress(step, 1000, training_loss=math.nan))
    first, *events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert first["event"] == "planned"
    assert TrainingSettings.from_json(first["settings"]) == plan(1000).settings
    assert (first["channels"], first["patches"], first["fingerprint"]) == (2, 300, "f00d")
    assert first["statistics"]["means"] == [10.0, 20.0]
    assert 2 <= len(events) < 500
    assert (events[0]["step"], events[-1]["step"]) == (1, 1000)
    # a NaN is no JSON
    assert events[-1]["training_loss"] is None
    assert events[-1]["validation_loss"] == 0.49117


@pytest.mark.parametrize("make", [TrainingReporter, BarTrainingReporter, JsonTrainingReporter])
def test_what_the_signal_handler_writes_is_a_whole_line(make: type[TrainingReporter]) -> None:
    text = make().stopping()
    assert text.endswith(b"\n")
    if make is JsonTrainingReporter:
        assert json.loads(text) == {"event": "stopping"}
    else:
        assert b"after the step" in text


def test_without_a_bar_only_trouble_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = TrainingReporter()
    reporter.begins(plan())
    reporter.trained(progress(1))
    assert capsys.readouterr() == ("", "")
