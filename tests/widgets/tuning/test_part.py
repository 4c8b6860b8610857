"""The Tune button in a real window, with real measurings that are short."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import WAIT_MS, Blur, noisy

from napari_tessera.models import Model
from napari_tessera.prediction import precision
from napari_tessera.prediction.tuning import best_tiles
from napari_tessera.prediction.tuning.best_tiles import Measured, Tuned
from napari_tessera.widgets.compare.side_by_side.part import CompareModels
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import BUSY, DONE, RUNNING
from napari_tessera.widgets.tuning import job
from napari_tessera.widgets.tuning.part import ENDING, HELD, TuneTiles

# a window of its own for each test, for a minute in all
pytestmark = pytest.mark.slow

LEFT = Qt.MouseButton.LeftButton


@dataclass
class Window:
    """A viewer with the dock in it."""

    viewer: Any
    dock: DenoiseDock
    qtbot: QtBot
    model: Path

    @property
    def tune(self) -> TuneTiles:
        return next(part for part in self.dock._parts if isinstance(part, TuneTiles))

    @property
    def said(self) -> str:
        return self.tune.message.message.replace("\N{NO-BREAK SPACE}", " ")

    @property
    def tiles(self) -> Any:
        return self.dock.settings.tiles.patch_size

    def open(self, shape: tuple[int, ...] = (600, 700)) -> Any:
        layer = self.viewer.add_image(noisy(shape).astype(np.uint16), name="cells")
        self.dock.settings.model.value = self.model
        self.dock.settings.tiles.set_open(True)
        return layer

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def click(self) -> None:
        self.qtbot.mouseClick(self.tune.button, LEFT)

    def measured(self) -> None:
        self.click()
        self.wait(lambda: not self.tune.is_measuring)


@pytest.fixture
def window(
    make_napari_viewer: Any, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Window]:
    monkeypatch.setattr(job, "SECONDS", 0.4)
    model = tmp_path / "blur.pt"
    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        torch.jit.trace(Blur().eval(), torch.zeros(1, 1, 16, 16)).save(str(model))
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    window = Window(viewer, dock, qtbot, model)
    yield window
    dock.shut_down()
    window.wait(lambda: dock.controller.state not in BUSY)
    window.wait(lambda: not [t for t in threading.enumerate() if "tessera" in t.name])


class Gate:
    """Holds up the thread that measures, or runs, until the test lets it go on."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self._open = threading.Event()

    def let(self) -> None:
        self._open.set()

    def wait(self) -> None:
        self.waiting.set()
        assert self._open.wait(WAIT_MS / 1000)

    def one_run(self, model: Any, shape: tuple[int, ...]) -> Callable[[], None]:
        """In the place of what is timed."""
        return self.wait

    def model(self, batch: torch.Tensor) -> torch.Tensor:
        """A function as a model."""
        if threading.current_thread().name == "tessera-model":
            self.wait()
        return torch.nn.functional.avg_pool2d(batch, 3, stride=1, padding=1)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(best_tiles, "one_run", gate.one_run)
    yield gate
    gate.let()


def finding(monkeypatch: pytest.MonkeyPatch, patch: int, batch: int = 1) -> list[dict[str, Any]]:
    """Let a measuring find certain tiles, twice as fast as those at hand."""
    asked: list[dict[str, Any]] = []

    def found(model: Any, spatial: Any, **settings: Any) -> Tuned:
        asked.append({"spatial": tuple(spatial), **settings})
        (own, own_batch) = settings["at_hand"]
        before = Measured(tuple(own), (2, 2), own_batch, 0.1, 8e6, 3)
        best = Measured((patch, patch), (2, 2), batch, 0.1, 16e6, 3)
        return Tuned(best, before, (before, best))

    monkeypatch.setattr(best_tiles, "best_tiles", found)
    return asked


def test_a_click_measures_for_real(window: Window) -> None:
    window.open()
    window.wait(lambda: window.tune.button.isEnabled())
    before = window.tiles
    window.measured()
    assert before == "auto"
    if window.tiles == "auto":
        assert "is the fastest here already" in window.said
        assert window.tune.back.isHidden()
    else:
        assert " × as fast here; " in window.said
        assert not window.tune.back.isHidden()
    assert window.dock.controller.held_back == ""
    assert window.dock.controller.state not in BUSY


def test_what_was_found_is_set_and_taken_back(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = finding(monkeypatch, 96, batch=4)
    window.open(shape=(3, 600, 700))
    window.dock.settings.tiles.patch_size = (64, 64)
    window.measured()
    assert asked[0]["spatial"] == (600, 700)
    assert asked[0]["samples"] == 3
    assert asked[0]["at_hand"] == ((64, 64), 1)
    assert window.tiles == (96, 96)
    assert window.dock.settings.advanced.batch_size == 4
    assert window.said == "64 × 64 → 96 × 96, batch 4: 2 × as fast here; 8.0 → 16 MP/s"
    request = window.dock.request()
    assert request is not None
    assert (request.patch_size, request.batch_size) == ((96, 96), 4)
    window.qtbot.mouseClick(window.tune.back, LEFT)
    assert window.tiles == (64, 64)
    assert window.dock.settings.advanced.batch_size == "auto"
    assert window.tune.back.isHidden()
    assert window.said == ""


def test_it_measures_in_the_precision_of_the_run_and_gives_memory_back(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where precision is left open and the device is fast in half, the image decides it."""
    monkeypatch.setattr(precision, "fast_halves", lambda device: ("float16",))
    monkeypatch.setattr(precision, "MOST_DIFFERENCE", 1.0)
    given_back: list[Any] = []
    monkeypatch.setattr(Model, "release", lambda model: given_back.append(model))
    finding(monkeypatch, 96)
    measured: list[str] = []
    found = best_tiles.best_tiles

    def noted(model: Any, spatial: Any, **settings: Any) -> Tuned:
        measured.append(model.precision)
        assert not given_back
        return found(model, spatial, **settings)

    monkeypatch.setattr(best_tiles, "best_tiles", noted)
    layer = window.open()
    for precise in ("auto", "float32"):
        request = RunRequest(
            (layer,), window.model, area=EVERYTHING, device="cpu", precision=precise
        )
        run = LayerRun.of(window.viewer, request, layer)
        given_back.clear()
        job.tune(run, window.dock.models, job.TuneBox(), threading.Event())
        assert len(given_back) == 1
    assert measured == ["float16", "float32"]


def test_what_is_told_goes_with_the_settings(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding(monkeypatch, 96)
    window.open()
    window.measured()
    assert window.tiles == (96, 96)
    assert window.dock.settings.advanced.batch_size == "auto"
    window.dock.settings.tiles.patch_size = (80, 80)
    assert window.said == ""
    assert window.tune.back.isHidden()


def test_what_was_found_is_suggested_another_time(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = finding(monkeypatch, 96)
    window.open()
    window.measured()
    assert len(asked) == 1
    window.dock.settings.tiles.patch_size = "auto"
    window.wait(lambda: not window.tune.use.isHidden())
    assert window.said == "Tuned before: 96 × 96, 16 MP/s"
    assert window.tiles == "auto"
    window.qtbot.mouseClick(window.tune.use, LEFT)
    assert window.tiles == (96, 96)
    assert window.tune.use.isHidden()
    window.qtbot.mouseClick(window.tune.back, LEFT)
    assert window.tiles == "auto"


@pytest.mark.parametrize("how", ["button", "escape in the dock", "escape on the canvas"])
def test_it_can_be_stopped(window: Window, gate: Gate, how: str) -> None:
    window.open()
    window.click()
    assert window.tune.button.text() == "Stop"
    window.wait(gate.waiting.is_set)
    assert not window.tune.bar.isHidden()
    if how == "button":
        window.click()
    elif how == "escape in the dock":
        QTest.keyClick(window.tune.button, Qt.Key.Key_Escape)
    else:
        QTest.keyClick(window.viewer.window._qt_viewer.canvas.native, Qt.Key.Key_Escape)
    assert not window.tune.is_measuring
    assert window.said == "Stopped: nothing was changed"
    assert window.tune.button.text() == "Tune"
    assert window.tune.bar.isHidden()
    assert window.tiles == "auto"
    assert window.dock.controller.held_back == ENDING
    assert not window.tune.button.isEnabled()
    assert window.tune.button.toolTip() == ENDING
    gate.let()
    window.wait(lambda: window.dock.controller.held_back == "")
    assert not [t for t in threading.enumerate() if t.name == "tessera-model"]
    assert window.tune.button.isEnabled()
    assert window.said == "Stopped: nothing was changed"


def test_nothing_else_runs_meanwhile(window: Window, gate: Gate) -> None:
    window.open()
    window.click()
    window.wait(gate.waiting.is_set)
    assert window.dock.reason() == HELD
    assert not window.dock.run_row.main_button.native.isEnabled()
    request = window.dock.request()
    assert request is not None
    window.dock.controller.start(request)
    assert window.dock.controller.request is None
    assert not window.dock.controller.begin_preview()
    window.dock.settings.tiles.patch_size = (64, 64)
    assert not window.tune.is_measuring
    assert window.said == "Stopped, as the settings have changed"
    assert window.dock.reason() == ENDING
    window.dock.controller.start(request)
    assert window.dock.controller.request is None
    gate.let()
    window.wait(lambda: window.dock.reason() == "")


def test_what_is_compared_waits_meanwhile(window: Window, gate: Gate) -> None:
    compare = next(part for part in window.dock._parts if isinstance(part, CompareModels))
    window.open()
    window.wait(compare._button.isEnabled)
    window.click()
    window.wait(gate.waiting.is_set)
    assert not compare._button.isEnabled()
    assert compare._button.toolTip() == HELD
    window.click()
    assert compare._button.toolTip() == ENDING
    gate.let()
    window.wait(compare._button.isEnabled)


def test_each_holds_runs_back_for_itself(window: Window) -> None:
    """Files that are denoised, and a measuring: whoever ends first does not free the other."""
    dock, one, other = window.dock, object(), object()
    changes: list[str] = []
    dock.held_back_changed.connect(lambda: changes.append(dock.controller.held_back))
    dock.hold_back(one, "first")
    dock.hold_back(other, "second")
    dock.hold_back(one, "")
    dock.hold_back(other, "")
    assert changes == ["first", "first", "second", ""]


def test_it_says_why_it_cannot_be_clicked(window: Window, gate: Gate) -> None:
    button = window.tune.button
    assert (button.isEnabled(), button.toolTip()) == (False, "Open an image first")
    window.open()
    assert button.isEnabled()
    layers = tuple(window.dock.settings.image.layers)
    window.dock.start(RunRequest(layers, gate.model, area=EVERYTHING, device="cpu"))
    window.wait(lambda: window.dock.controller.state == RUNNING)
    assert not button.isEnabled()
    assert button.toolTip().startswith("Not while a run goes on")
    gate.let()
    window.wait(lambda: window.dock.controller.state == DONE)
    assert button.isEnabled()
    window.viewer.layers.clear()
    window.wait(lambda: not button.isEnabled())


def test_a_model_that_fails_is_told_of(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(model: Any, shape: tuple[int, ...]) -> Callable[[], None]:
        raise ValueError("too large for me")

    monkeypatch.setattr(best_tiles, "one_run", failing)
    window.open()
    window.measured()
    assert window.said == "Nothing was measured: too large for me"
    assert window.tiles == "auto"
    assert window.dock.reason() == ""
    window.dock.settings.tiles.patch_size = (64, 64)
    assert window.said == ""


def test_it_ends_with_the_dock(window: Window, gate: Gate) -> None:
    window.open()
    window.click()
    window.wait(gate.waiting.is_set)
    window.viewer.window.remove_dock_widget(window.dock)
    assert not window.tune.is_measuring
    assert "Escape" not in map(str, window.viewer.keymap)
    gate.let()
