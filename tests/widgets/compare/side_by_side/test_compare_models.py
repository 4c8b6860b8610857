"""The window as a person uses it: real models, real clicks, real pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import WAIT_MS, Blur, GatedBlur, noisy

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.compare.on_canvas import CanvasComparison
from napari_tessera.widgets.compare.side_by_side.candidate import (
    DONE,
    FAILED,
    LOADING,
    RUNNING,
    WAITING,
)
from napari_tessera.widgets.compare.side_by_side.column import CandidateColumn
from napari_tessera.widgets.compare.side_by_side.part import CompareModels
from napari_tessera.widgets.compare.side_by_side.window import MOST_CANDIDATES, CompareWindow
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import DONE as RUN_DONE
from napari_tessera.widgets.run_state import RUNNING as RUN_RUNNING

pytestmark = pytest.mark.slow

LEFT = Qt.MouseButton.LeftButton


def write_blur(path: Path) -> Path:
    """A blur as a TorchScript file."""
    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        torch.jit.trace(Blur().eval(), torch.zeros(1, 1, 16, 16)).save(str(path))
    return path


@dataclass
class Bench:
    """A viewer with the dock, its button, and the window that it opens."""

    viewer: Any
    dock: DenoiseDock
    qtbot: QtBot

    @property
    def part(self) -> CompareModels:
        (part,) = (part for part in self.dock._parts if isinstance(part, CompareModels))
        return part

    @property
    def window(self) -> CompareWindow:
        assert self.part.window is not None
        return self.part.window

    @property
    def columns(self) -> list[CandidateColumn]:
        return self.window.columns

    def wait(self, condition: Any) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def open(self) -> CompareWindow:
        """Click the button."""
        self.wait(lambda: not self.part.reason)
        self.qtbot.mouseClick(self.part.button.native, LEFT)
        self.qtbot.waitExposed(self.window)
        return self.window

    def until(self, state: str, column: int = -1) -> CandidateColumn:
        self.wait(lambda: self.columns[column].candidate.state == state)
        return self.columns[column]

    def add(self, *names: str) -> None:
        """Choose in the menu."""
        menu = self.window._menu
        menu.aboutToShow.emit()
        for name in names[:-1]:
            (menu,) = (a.menu() for a in menu.actions() if a.text() == name)
        (action,) = (a for a in menu.actions() if a.text() == names[-1])
        action.trigger()


@pytest.fixture
def bench(make_napari_viewer: Any, qtbot: QtBot, tmp_path: Path) -> Bench:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    bench = Bench(viewer, dock, qtbot)
    dock.settings.model.value = write_blur(tmp_path / "blur.pt")
    dock.settings.tiles.patch_size = (32, 32)
    dock.settings.tiles.overlaps = (4, 4)
    viewer.add_image(noisy((3, 90, 96)), name="cells", axis_labels=("t", "y", "x"))
    viewer.dims.set_current_step(0, 1)
    camera_of(viewer).zoom = 2
    return bench


def test_models_and_settings_stand_side_by_side_and_one_is_taken(
    bench: Bench, tmp_path: Path
) -> None:
    layer = bench.viewer.layers["cells"]
    listeners = len(layer.events.colormap.callbacks)
    window = bench.open()
    first = bench.until(DONE)
    assert not window.isModal()
    assert (first.title.text(), first.subtitle.text()) == ("blur.pt", "as in the dock")
    assert first.candidate.seconds is not None
    assert first.status.text().endswith(" s, 16 tiles")
    assert not first.checks.isHidden()
    assert not first.remove_button.isVisible()
    picture = window.input.view.picture
    assert (picture.width(), picture.height()) == (96, 90)
    assert first.view.picture.size() == picture.size()
    bench.add("Average over flips", "mean")
    bench.add("Average over flips", "mean")
    bench.add("Tile size", "64 × 64")
    bench.add("Another model", "Built-in 2D (no training)")
    bench.until(DONE)
    texts = [column.subtitle.text() for column in bench.columns]
    assert texts == [
        "as in the dock",
        "mean over flips",
        "tiles 64×64",
        "same settings",
    ]
    assert len(bench.columns) == MOST_CANDIDATES
    assert not window.add_button.isEnabled()
    # the dock's run makes the very same pixels
    dock = bench.dock
    bench.qtbot.mouseClick(dock.run_row.main_button.native, LEFT)
    bench.wait(lambda: dock.controller.state == RUN_DONE)
    output = dock.controller.results.outputs[0]
    for column in bench.columns[:3]:
        plane = column.candidate.plane(window._crop)
        np.testing.assert_allclose(plane, np.asarray(output.data[1]), atol=1e-3)
    # all have the same width and show the same place
    widths = [view.width() for view in window.views]
    assert max(widths) - min(widths) <= 1
    viewport = bench.columns[1].view.viewport()
    assert viewport is not None
    before = window.input.view.sight
    QTest.mousePress(viewport, LEFT, pos=QPoint(50, 50))
    QTest.mouseMove(viewport, QPoint(70, 40))
    QTest.mouseRelease(viewport, LEFT, pos=QPoint(70, 40))
    assert window.input.view.sight != before
    assert len({view.sight for view in window.views}) == 1
    # and the layer's contrast
    bright = window.input.view.picture.pixelColor(10, 10)
    layer.contrast_limits = (900, 2000)
    layer.contrast_limits = (1000, 2000)
    # while a slider is dragged nothing waits for pictures
    assert window.input.view.picture.pixelColor(10, 10) == bright
    bench.wait(lambda: window.input.view.picture.pixelColor(10, 10) != bright)
    assert bench.columns[1].view.picture.pixelColor(10, 10).red() == 0
    # one click to choose
    bench.qtbot.mouseClick(bench.columns[1].use_button.native, LEFT)
    bench.wait(lambda: bench.part.window is None)
    request = dock.request()
    assert request is not None
    assert (request.tta, request.patch_size) == ("mean", (32, 32))
    assert len(layer.events.colormap.callbacks) == listeners


def test_what_fails_says_why_and_the_others_go_on(bench: Bench, tmp_path: Path) -> None:
    window = bench.open()
    bad = tmp_path / "notes.pt"
    bad.write_text("no model")
    window._on_file(str(bad))
    bench.add("Average over flips", "mean")
    failed, fine = bench.until(FAILED, 1), bench.until(DONE, 2)
    assert failed.problem.message.startswith("notes.pt cannot be loaded: ")
    assert not failed.use_button.native.isEnabled()
    assert failed.checks.isHidden()
    assert fine.problem.message == ""
    bench.qtbot.mouseClick(failed.remove_button, LEFT)
    assert [column.candidate.state for column in bench.columns] == [DONE, DONE]
    assert window.add_button.isEnabled()


def test_it_fills_tile_by_tile_and_ends_when_it_is_closed(bench: Bench) -> None:
    gate = GatedBlur()
    settings: dict[str, Any] = {"patch_size": (32, 32), "overlaps": (2, 2), "device": "cpu"}
    layer = bench.viewer.layers["cells"]
    held = RunRequest((layer,), gate, area=EVERYTHING, **settings)
    window = bench.open()
    bench.until(DONE)
    window.add(replace(window.base, model=gate, batch_size=1))
    window.add(replace(window.base, tta="mean"))
    gate.let(2)
    column = bench.until(RUNNING, 1)
    bench.wait(lambda: column.candidate.done == 2)
    plane = column.candidate.plane(window._crop)
    assert plane is not None
    assert 0 < np.isfinite(plane).mean() < 1
    bench.wait(lambda: column.view.picture.pixelColor(5, 5).alpha() == 255)
    assert column.view.picture.pixelColor(90, 85).alpha() == 0
    assert bench.columns[2].candidate.state == WAITING
    assert held.layers == (layer,)
    bench.qtbot.mouseClick(window.close_button, LEFT)
    assert bench.part.window is None
    run = column.candidate.run
    assert run is not None
    assert run.cancel.is_set()
    gate.let(1000)


def test_a_run_of_the_dock_has_the_processor_to_itself(bench: Bench) -> None:
    gate = GatedBlur()
    layer = bench.viewer.layers["cells"]
    window = bench.open()
    bench.until(DONE)
    settings: dict[str, Any] = {"patch_size": (96, 96), "device": "cpu"}
    bench.dock.start(RunRequest((layer,), gate, area=EVERYTHING, **settings))
    bench.wait(lambda: bench.dock.controller.state == RUN_RUNNING)
    assert not bench.part.button.native.isEnabled()
    assert "wait for its end" in bench.part.button.native.toolTip()
    window.add(replace(window.base, tta="mean"))
    column = bench.columns[1]
    assert column.status.text() == "waits for the run to end"
    gate.let(1000)
    bench.until(DONE, 1)
    assert bench.part.button.native.isEnabled()


def test_it_follows_the_view_where_asked_and_goes_with_the_layer(bench: Bench) -> None:
    window = bench.open()
    bench.until(DONE)
    size = window.size()
    window.resize(size.width() - 100, size.height() - 50)
    bench.viewer.dims.set_current_step(0, 2)
    bench.qtbot.mouseClick(window.view_button, LEFT)
    assert "T 2" in window.input.subtitle.text()
    column = bench.until(DONE)
    plane = column.candidate.plane(window._crop)
    assert plane is not None
    wanted = bench.viewer.layers["cells"].data[2]
    np.testing.assert_allclose(plane[5, 5], wanted[4:7, 4:7].mean(), rtol=1e-5)
    camera_of(bench.viewer).center = (0, 1e6, 1e6)
    bench.qtbot.mouseClick(window.view_button, LEFT)
    assert "nothing of cells is in view" in window.message.message
    bench.viewer.reset_view()
    smaller = window.size()
    window.close()
    assert bench.part.window is None
    assert bench.open().size() == smaller
    again = bench.window
    bench.qtbot.mouseClick(bench.part.button.native, LEFT)
    assert bench.window is again
    bench.viewer.layers.remove("cells")
    assert bench.part.window is None


def test_where_nothing_can_be_compared_the_button_says_why(bench: Bench) -> None:
    bench.wait(lambda: not bench.part.reason)
    button = bench.part.button.native
    bench.viewer.dims.ndisplay = 3
    assert not button.isEnabled()
    assert "2D display" in button.toolTip()
    bench.viewer.dims.ndisplay = 2
    assert button.isEnabled()
    camera_of(bench.viewer).center = (0, 1e6, 1e6)
    bench.part.open()
    assert bench.part.window is None
    assert "nothing of cells is in view" in bench.dock.run_row.failure.message
    image = bench.viewer.layers.pop(0)
    assert not button.isEnabled()
    bench.part.open()
    assert bench.part.window is None
    # the window is closed with the dock
    bench.viewer.add_layer(image)
    bench.viewer.reset_view()
    bench.open()
    part = bench.part
    bench.viewer.window.remove_dock_widget(bench.dock)
    assert part.window is None
    part.close()


def test_nothing_goes_on_when_the_dock_is_destroyed_meanwhile(bench: Bench) -> None:
    gate = GatedBlur()
    layer = bench.viewer.layers["cells"]
    listeners = len(layer.events.colormap.callbacks)
    window = bench.open()
    bench.until(DONE)
    window.add(replace(window.base, model=gate, batch_size=1))
    column = bench.until(LOADING, 1)
    bench.wait(gate.waiting.is_set)
    run = column.candidate.run
    assert run is not None
    part = bench.part
    with bench.qtbot.waitSignal(bench.dock.destroyed):
        bench.dock.deleteLater()
    gate.let(1000)
    assert run.cancel.is_set()
    assert part.window is None
    assert len(layer.events.colormap.callbacks) == listeners
    layer.contrast_limits = (1, 2)
    bench.viewer.layers.clear()


def test_it_all_works_where_napari_opens_the_dock(
    make_napari_viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    # to a plugin's widget napari gives proxies of viewer and layers
    _, dock = viewer.window.add_plugin_dock_widget("napari-tessera", "Denoise")
    assert dock.viewer is not viewer
    bench = Bench(viewer, dock, qtbot)
    dock.settings.model.value = write_blur(tmp_path / "blur.pt")
    source = viewer.add_image(noisy((64, 64)), name="cells")
    bench.wait(lambda: not bench.part.reason)
    dock.press_main()
    bench.wait(lambda: dock.controller.state == RUN_DONE)
    output = viewer.layers["cells_denoised"]
    canvas = next(part for part in dock._parts if isinstance(part, CanvasComparison))
    canvas.split_button.native.click()
    assert canvas.split.on
    output.contrast_limits = (50, 60)
    assert tuple(source.contrast_limits) == (50, 60)
    canvas.flip.hold()
    assert (source.visible, output.visible) == (True, False)
    canvas.flip.release()
    bench.open()
    bench.until(DONE)
    viewer.layers.remove(source)
    assert bench.part.window is None
    assert not canvas.split.on
