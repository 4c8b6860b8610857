from __future__ import annotations

import threading
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject, QThreadPool

from napari_tessera.widgets.newest_job import AT_ONCE, NewestJob


@pytest.fixture
def owner(qtbot: QtBot) -> QObject:
    return QObject()


def test_only_the_newest_is_told_of_and_what_is_in_between_is_not_done(
    owner: QObject, qtbot: QtBot
) -> None:
    job = NewestJob("counting", owner)
    begun, go_on = threading.Semaphore(0), threading.Event()
    told: list[tuple[Any, Any]] = []
    job.finished.connect(lambda asked, outcome: told.append((asked, outcome.value)))

    def slow() -> str:
        begun.release()
        assert go_on.wait(20)
        return "slow"

    for asked in range(AT_ONCE):
        job.ask(asked, slow)
    for _ in range(AT_ONCE):
        assert begun.acquire(timeout=20)
    never: list[str] = []
    job.ask("between", lambda: never.append("between"))
    job.ask("last", lambda: "fast")
    go_on.set()
    qtbot.waitUntil(lambda: bool(told))
    assert told == [("last", "fast")]
    assert never == []


def test_the_newest_does_not_wait_for_what_is_outdated(owner: QObject, qtbot: QtBot) -> None:
    pool = QThreadPool.globalInstance()
    assert pool is not None
    before = pool.maxThreadCount()
    pool.setMaxThreadCount(1)
    job = NewestJob("counting", owner)
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()
    told: list[Any] = []
    job.finished.connect(lambda asked, outcome: told.append(asked))

    def slow() -> None:
        begun.set()
        assert go_on.wait(20)
        over.set()

    try:
        job.ask("slow", slow)
        assert begun.wait(20)
        job.ask("fast", lambda: None)
        qtbot.waitUntil(lambda: told == ["fast"])
        assert not over.is_set()
    finally:
        go_on.set()
        assert over.wait(20)
        pool.setMaxThreadCount(before)
    with qtbot.waitSignal(job.finished):
        job.ask("next", lambda: None)
    assert told == ["fast", "next"]


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
