"""Whether a run's end is told, to whom, and in which words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication, QMainWindow, QSystemTrayIcon, QWidget
from tests.widgets.conftest import GatedBlur, Stage, noisy

from napari_tessera.prediction.several import FileEntry, Report
from napari_tessera.widgets import notify
from napari_tessera.widgets.fields.run import RunRow
from napari_tessera.widgets.notify import LONG, RunNotifier, worth_telling
from napari_tessera.widgets.request import SaveTarget


@pytest.mark.parametrize(
    ("seconds", "looking", "told"),
    [(LONG, False, True), (LONG - 0.1, False, False), (1000, True, False)],
)
def test_only_long_runs_are_told_and_only_to_those_who_look_elsewhere(
    seconds: float, looking: bool, told: bool
) -> None:
    assert worth_telling(seconds, looking=looking) is told


class Dock(QWidget):
    """What of the dock the notifier needs: a real controller, and the row of the main button."""

    def __init__(self, controller: Any, parent: QWidget) -> None:
        super().__init__(parent)
        self.controller = controller
        self.run_row = RunRow("Ctrl+D", self)
        controller.kept_changed.connect(self.run_row.set_kept)


class Files(QObject):
    """A run over files that has ended."""

    ended = Signal()

    def __init__(self, **runner: Any) -> None:
        super().__init__()
        self.runner = SimpleNamespace(**runner)


@dataclass
class Scene:
    """A controller, a notifier, and everything that was told."""

    stage: Stage
    dock: Dock
    window: QMainWindow
    notifier: RunNotifier
    monkeypatch: pytest.MonkeyPatch
    said: list[str] = field(default_factory=list)
    called: list[Any] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    now: float = 0.0
    takes: float = 60.0

    def clock(self) -> float:
        """Time passes between any two looks at it."""
        self.now += self.takes
        return self.now

    def look(self, looks: bool) -> None:
        window = self.window if looks else None
        self.monkeypatch.setattr(QApplication, "activeWindow", staticmethod(lambda: window))


@pytest.fixture
def scene(model_stage: Stage, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    window = QMainWindow()
    qtbot.addWidget(window)
    dock = Dock(model_stage.controller, window)
    notifier = RunNotifier(dock)  # type: ignore[arg-type]
    scene = Scene(model_stage, dock, window, notifier, monkeypatch)
    monkeypatch.setattr(notifier, "_clock", scene.clock)
    monkeypatch.setattr(notify, "show_info", scene.said.append)
    monkeypatch.setattr(notify, "show_warning", scene.said.append)
    monkeypatch.setattr(QApplication, "alert", staticmethod(scene.called.append))
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: True))
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", staticmethod(lambda: True))
    monkeypatch.setattr(
        QSystemTrayIcon, "showMessage", lambda self, title, text, icon: scene.shown.append(text)
    )
    scene.look(False)
    yield scene
    notifier.close()


def test_who_looks_elsewhere_is_told_what_how_long_and_where(scene: Scene, tmp_path: Path) -> None:
    layer = scene.stage.viewer.add_image(noisy((70, 90)), name="cells")
    scene.stage.run(layer, save=SaveTarget(tmp_path / "cells.ome.zarr"))
    (line,) = scene.said
    assert line == f"Denoised in 1 min: cells, saved as cells.ome.zarr, in {tmp_path}"
    assert scene.shown == [line]
    assert scene.called == [scene.window]


def test_who_looks_sees_the_docks_own_line_alone(scene: Scene) -> None:
    scene.look(True)
    layer = scene.stage.viewer.add_image(noisy((70, 90)), name="cells")
    scene.stage.run(layer)
    assert (scene.said, scene.called, scene.shown) == ([], [], [])
    assert scene.dock.run_row.kept.message == "Done: 4 tiles in 1 min."
    scene.stage.start(layer)
    assert not scene.dock.run_row.kept.message
    scene.stage.until("done")


def test_a_second_notification_stays_as_long_as_a_first_one(scene: Scene, qtbot: Any) -> None:
    scene.notifier._shown.setInterval(60)
    scene.notifier._call("first")
    first = scene.notifier._tray
    scene.notifier._shown.setInterval(120_000)
    scene.notifier._call("second")
    second = scene.notifier._tray
    assert second is not None
    assert second is not first
    assert scene.notifier._shown.remainingTime() > 60_000
    scene.notifier._shown.setInterval(0)
    qtbot.waitUntil(lambda: scene.notifier._tray is None)


def test_a_short_run_is_not_told_of(scene: Scene) -> None:
    scene.takes = 1.0
    layer = scene.stage.viewer.add_image(noisy((40, 50)), name="cells")
    scene.stage.run(layer)
    assert not scene.said
    assert scene.dock.run_row.kept.message == "Done: 1 tile in 1 s."


def test_the_docks_line_tells_what_was_there_before(scene: Scene, tmp_path: Path) -> None:
    gate = GatedBlur()
    gate.let(1)
    first = scene.stage.viewer.add_image(noisy((40, 50)), name="first")
    second = scene.stage.viewer.add_image(noisy((70, 90)), name="second")
    save = SaveTarget(tmp_path / "out.npy")
    scene.stage.start(first, second, model=gate, save=save, batch_size=1)
    scene.stage.until("running")
    scene.stage.wait(lambda: scene.stage.controller.runs.number == 2)
    run = scene.stage.controller.runs.current
    assert run is not None
    gate.let(2)
    scene.stage.wait(lambda: run.schedule is not None and run.schedule.n_done > 0)
    scene.stage.controller.stop()
    gate.let(100)
    scene.stage.until("stopped")
    scene.stage.controller.resume()
    scene.stage.until("done")
    # how many of the four the model was through with when it was stopped is not certain
    told = scene.dock.run_row.kept.message
    assert told in {f"Done: 5 tiles ({before} of them before) in 1 min." for before in (2, 3, 4)}


def test_a_failure_calls_and_napari_shows_it_only_once(scene: Scene) -> None:
    gate = GatedBlur()
    gate.error = RuntimeError("out of memory")
    gate.let(100)
    layer = scene.stage.viewer.add_image(noisy((70, 90)), name="cells")
    scene.stage.start(layer, model=gate)
    scene.stage.until("failed")
    scene.stage.wait(lambda: bool(scene.called))
    assert not scene.said
    assert "out of memory" in scene.shown[0]
    gate.error = None
    scene.stage.run(layer, model=gate)
    assert len(scene.said) == 1


def test_what_people_stopped_is_not_told_of(scene: Scene) -> None:
    gate = GatedBlur()
    layer = scene.stage.viewer.add_image(noisy((70, 90)), name="cells")
    scene.stage.start(layer, model=gate)
    scene.stage.wait(gate.waiting.is_set)
    scene.stage.controller.stop()
    gate.let(1)
    scene.stage.until("stopped")
    assert (scene.said, scene.called, scene.shown) == ([], [], [])
    gate.let(1000)
    scene.stage.controller.resume()
    scene.stage.until("done")
    assert len(scene.said) == 1


def test_several_layers_are_told_of_once(scene: Scene, tmp_path: Path) -> None:
    layers = [scene.stage.viewer.add_image(noisy((40, 50), n), name=f"l{n}") for n in (0, 1)]
    scene.stage.run(*layers, save=SaveTarget(tmp_path / "all.ome.zarr"))
    assert scene.said == [f"Denoised in 1 min: 2 layers, saved in {tmp_path}"]


def test_after_it_is_closed_nothing_is_told(scene: Scene) -> None:
    layer = scene.stage.viewer.add_image(noisy((40, 50)), name="cells")
    scene.notifier.close()
    scene.stage.run(layer)
    assert (scene.said, scene.called, scene.shown) == ([], [], [])


def test_the_end_of_a_run_over_files_is_told(scene: Scene, tmp_path: Path) -> None:
    done = Report((FileEntry("a", state="done"), FileEntry("b", state="done")))
    order = SimpleNamespace(out=tmp_path)
    for runner, line in (
        ({"state": "done", "seconds": 1.0, "report": done, "failure": ""}, None),
        ({"state": "stopped", "seconds": 90.0, "report": done, "failure": ""}, None),
        (
            {"state": "done", "seconds": 90.0, "report": done, "failure": ""},
            f"Files: 2 of 2 images done in 2 min, saved in {tmp_path}",
        ),
        (
            {"state": "failed", "seconds": 90.0, "report": None, "failure": "no model"},
            "Files: stopped after 2 min: no model",
        ),
    ):
        files = Files(order=order, **runner)
        notifier = RunNotifier(scene.dock, files)  # type: ignore[arg-type]
        scene.said.clear()
        files.ended.emit()
        assert scene.said == ([] if line is None else [line])
        notifier.close()
