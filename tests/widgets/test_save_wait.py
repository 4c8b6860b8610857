from __future__ import annotations

import threading
from typing import Any

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QProgressDialog, QPushButton

from napari_tessera.widgets import save_wait
from napari_tessera.widgets.save_wait import wait_for

WAIT_S = 20


class Work:
    """Work in steps that the test lets through."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.done = 0.0
        self.cancelled = False
        self.thread: Any = None

    def __call__(self) -> str:
        self.thread = threading.current_thread()
        assert self.go_on.wait(WAIT_S)
        if self.cancelled:
            raise InterruptedError("cancelled")
        return "written"

    def cancel(self) -> None:
        self.cancelled = True
        self.go_on.set()

    def wait(self) -> str:
        return wait_for(self, title="Saving a", share=lambda: self.done, cancel=self.cancel)


def when_shown(check: Any) -> list[QProgressDialog]:
    """Do something once the dialog is on the screen; gives it."""
    seen: list[QProgressDialog] = []

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QProgressDialog) and not seen:
            seen.append(dialog)
            timer.stop()
            check(dialog)

    timer = QTimer(QApplication.instance())
    timer.timeout.connect(look)
    timer.start(20)
    return seen


def test_what_is_quick_shows_nothing(qtbot: Any) -> None:
    seen = when_shown(lambda dialog: None)
    work = Work()
    work.go_on.set()
    assert work.wait() == "written"
    assert work.thread is not threading.main_thread()
    assert not seen


def test_a_dialog_shows_how_far_it_is_while_the_window_lives(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save_wait, "PATIENCE_MS", 10)
    work = Work()
    values: list[int] = []

    def watch(dialog: QProgressDialog) -> None:
        assert dialog.isModal()
        assert dialog.labelText() == "Saving a"
        values.append(dialog.value())
        work.done = 0.5
        qtbot.waitUntil(lambda: dialog.value() == 500)
        values.append(dialog.value())
        work.go_on.set()

    seen = when_shown(watch)
    assert work.wait() == "written"
    assert values == [0, 500]
    assert not seen[0].isVisible()


@pytest.mark.parametrize("way", ["button", "close"])
def test_it_can_be_cancelled(qtbot: Any, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(save_wait, "PATIENCE_MS", 10)
    work = Work()

    def cancel(dialog: QProgressDialog) -> None:
        if way == "button":
            dialog.findChild(QPushButton).click()
        else:
            dialog.close()

    seen = when_shown(cancel)
    with pytest.raises(InterruptedError, match="cancelled"):
        work.wait()
    assert seen


def test_an_error_comes_out_as_itself(qtbot: Any) -> None:
    def fail() -> None:
        raise RuntimeError("no space")

    with pytest.raises(RuntimeError, match="no space"):
        wait_for(fail, title="a", share=lambda: 0.0, cancel=lambda: None)


def test_away_from_the_windows_thread_it_is_simply_called(qtbot: Any) -> None:
    found: list[Any] = []

    def call() -> None:
        found.append(
            wait_for(threading.current_thread, title="a", share=lambda: 0.0, cancel=lambda: None)
        )

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(WAIT_S)
    assert found == [thread]
