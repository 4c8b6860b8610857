from __future__ import annotations

import threading
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject

from napari_tessera.widgets.newest_job import NewestJob


@pytest.fixture
def owner(qtbot: QtBot) -> QObject:
    return QObject()


def test_only_the_newest_is_told_of(owner: QObject, qtbot: QtBot) -> None:
    job = NewestJob("counting", owner)
    begun, go_on = threading.Event(), threading.Event()
    told: list[tuple[Any, Any]] = []
    job.finished.connect(lambda asked, outcome: told.append((asked, outcome.value)))

    def slow() -> str:
        begun.set()
        assert go_on.wait(20)
        return "slow"

    job.ask("first", slow)
    assert begun.wait(20)
    never: list[str] = []
    job.ask("second", lambda: never.append("second"))
    job.ask("third", lambda: "fast")
    go_on.set()
    qtbot.waitUntil(lambda: bool(told))
    assert told == [("third", "fast")]
    assert never == []


def test_what_is_forgotten_is_not_told_of(owner: QObject, qtbot: QtBot) -> None:
    job = NewestJob("counting", owner)
    go_on = threading.Event()
    told: list[Any] = []
    job.finished.connect(lambda asked, outcome: told.append(asked))
    job.ask("first", lambda: go_on.wait(20))
    job.forget()
    go_on.set()
    with qtbot.waitSignal(job.finished):
        job.ask("second", lambda: None)
    assert told == ["second"]


def test_an_error_is_an_outcome(owner: QObject, qtbot: QtBot) -> None:
    job = NewestJob("failing", owner)
    with qtbot.waitSignal(job.finished) as finished:
        job.ask("it", lambda: 1 / 0)
    assert finished.args is not None
    assert isinstance(finished.args[1].error, ZeroDivisionError)
