"""The queue of candidates: of which crop what was read is."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject
from tests.widgets.conftest import WAIT_MS

from napari_tessera.widgets.compare.side_by_side.candidate_runs import CandidateRuns
from napari_tessera.widgets.model_cache import ModelCache


class Crop:
    """A part of an image that is read when the test lets it be."""

    def __init__(self, outcome: Any) -> None:
        self.go = threading.Event()
        self._outcome = outcome

    def read_input(self) -> Any:
        assert self.go.wait(WAIT_MS / 1000)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@pytest.mark.parametrize("before", ["old pixels", OSError("the disk is gone")], ids=["read", "not"])
@pytest.mark.parametrize("now", ["pixels", OSError("no pixels")], ids=["reads", "fails"])
def test_what_comes_of_an_earlier_crop_is_not_told_of_the_newest(
    qtbot: QtBot, before: Any, now: Any
) -> None:
    owner: Any = QObject()
    runs = CandidateRuns(None, ModelCache(), owner)  # type: ignore[arg-type]  # reads alone
    told: list[Any] = []
    runs.input_read.connect(told.append)
    first, second = Crop(before), Crop(now)
    runs.begin(first)  # type: ignore[arg-type]
    runs.begin(second)  # type: ignore[arg-type]
    first.go.set()
    second.go.set()
    qtbot.waitUntil(lambda: bool(told), timeout=WAIT_MS)
    assert told == [now]
    runs.close()
