"""The buttons and the key in a real window, while a run goes on and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget
from tests.widgets.compare.conftest import made_of
from tests.widgets.conftest import WAIT_MS, GatedBlur, noisy

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.compare.divider import Divider
from napari_tessera.widgets.compare.on_canvas import CanvasComparison
from napari_tessera.widgets.compare.split import NOTHING
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.main_key import FLIP_KEY
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import DONE

LEFT = Qt.MouseButton.LeftButton
H = Qt.Key.Key_H


@dataclass
class Window:
    """A viewer with the dock in it, and a run that the test lets go on tile by tile."""

    viewer: Any
    dock: DenoiseDock
    gate: GatedBlur
    qtbot: QtBot

    @property
    def part(self) -> CanvasComparison:
        (part,) = (part for part in self.dock._parts if isinstance(part, CanvasComparison))
        return part

    @property
    def canvas(self) -> QWidget:
        widget: QWidget = self.viewer.window._qt_viewer.canvas.native
        return widget

    def begin(self, tiles: int) -> tuple[Any, Any]:
        """Start a run of four tiles; gives input and output once some tiles are done."""
        layer = self.viewer.add_image(noisy((128, 128)), name="cells")
        settings: dict[str, Any] = {"area": EVERYTHING, "patch_size": (64, 64), "device": "cpu"}
        self.gate.let(tiles)
        self.dock.start(RunRequest((layer,), self.gate, overlaps=(2, 2), **settings))
        self.wait(lambda: not self.dock.checks.isHidden())
        return layer, self.viewer.layers["cells_denoised"]

    def finish(self) -> None:
        self.gate.let(1000)
        self.wait(lambda: self.dock.controller.state == DONE)

    def wait(self, condition: Any) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)


@pytest.fixture
def window(make_napari_viewer: Any, qtbot: QtBot) -> Window:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    return Window(viewer, dock, GatedBlur(), qtbot)


def test_flip_shows_the_input_while_the_run_goes_on(window: Window) -> None:
    assert not window.part.flip_button.native.isEnabled()
    source, output = window.begin(2)
    button = window.part.flip_button.native
    centre, step = camera_of(window.viewer).center, window.viewer.dims.current_step
    QTest.mousePress(button, LEFT)
    assert (source.visible, output.visible) == (True, False)
    window.finish()
    assert (source.visible, output.visible) == (True, False)
    QTest.mouseRelease(button, LEFT)
    assert (source.visible, output.visible) == (True, True)
    assert np.isfinite(output.data).all()
    assert (camera_of(window.viewer).center, window.viewer.dims.current_step) == (centre, step)
    # let go of outside the button
    QTest.mousePress(button, LEFT)
    assert not output.visible
    QTest.mouseMove(button, QPoint(-200, -200))
    QTest.mouseRelease(button, LEFT, pos=QPoint(-200, -200))
    assert output.visible
    # by keyboard
    button.setFocus()
    QTest.keyPress(button, Qt.Key.Key_Space)
    assert not output.visible
    QTest.keyRelease(button, Qt.Key.Key_Space)
    assert output.visible
    # hidden with its strip while it is down
    QTest.mousePress(button, LEFT)
    assert not output.visible
    window.dock.checks.hide()
    assert output.visible
    # and with nothing left to flip to
    window.dock.checks.show()
    QTest.mousePress(button, LEFT)
    window.viewer.layers.remove(source)
    assert output.visible
    QTest.mouseRelease(button, LEFT)
    assert output.visible
    assert not button.isEnabled()
    assert button.toolTip() == NOTHING


def test_a_key_does_the_same_over_the_image(window: Window) -> None:
    source = window.viewer.add_image(noisy((32, 32)), name="cells")
    output = made_of(source, np.zeros((32, 32), np.float32))
    window.viewer.add_layer(output)
    window.viewer.window._qt_window.activateWindow()
    window.canvas.setFocus()
    window.wait(window.canvas.hasFocus)
    QTest.keyPress(window.canvas, H)
    assert (source.visible, output.visible) == (True, False)
    QTest.keyRelease(window.canvas, H)
    assert output.visible
    # nobody is told of a release that happens elsewhere
    QTest.keyPress(window.canvas, H)
    assert not output.visible
    window.dock.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    window.dock.setFocus()
    window.wait(lambda: output.visible)
    QTest.keyRelease(window.canvas, H)
    assert output.visible
    window.part.close()
    window.part.close()
    QTest.keyPress(window.canvas, H)
    assert output.visible
    # which is the viewer's again
    window.viewer.bind_key(FLIP_KEY, lambda viewer: None)


def test_split_and_flip_together(window: Window) -> None:
    split = window.part.split_button.native
    assert not split.isEnabled()
    assert split.toolTip() == NOTHING
    source, output = window.begin(4)
    window.finish()
    window.wait(lambda: split.isEnabled() and split.isVisible())
    window.qtbot.mouseClick(split, LEFT)
    assert split.isChecked()
    line = window.canvas.findChild(Divider)
    assert line is not None
    window.canvas.setFocus()
    QTest.keyPress(window.canvas, H)
    assert not line.isVisible()
    assert (source.visible, output.visible) == (True, False)
    QTest.keyRelease(window.canvas, H)
    assert line.isVisible()
    assert (source.visible, output.visible) == (True, True)
    window.qtbot.mouseClick(split, LEFT)
    assert not window.part.split.on
    window.qtbot.mouseClick(split, LEFT)
    window.viewer.layers.remove(output)
    assert not split.isChecked()
    assert not split.isEnabled()


@pytest.mark.slow
def test_the_buttons_of_other_layers_follow_what_is_shown(window: Window) -> None:
    window.begin(4)
    window.finish()
    button = window.dock.checks.noise_button.native
    window.qtbot.mouseClick(button, LEFT)
    noise = window.viewer.layers["cells_removed_noise"]
    assert button.isChecked()
    QTest.mousePress(window.part.flip_button.native, LEFT)
    assert not noise.visible
    assert button.isChecked()
    QTest.mouseRelease(window.part.flip_button.native, LEFT)
    assert noise.visible
    assert button.isChecked()
    noise.visible = False
    assert not button.isChecked()


def test_contrast_is_linked_until_it_is_not_wanted(window: Window) -> None:
    source, output = window.begin(4)
    limits = tuple(source.contrast_limits)
    assert tuple(output.contrast_limits) == limits
    output.contrast_limits = (limits[0] + 1, limits[1] - 1)
    assert tuple(source.contrast_limits) == (limits[0] + 1, limits[1] - 1)
    link = window.part.link_button.native
    assert link.isChecked()
    window.wait(link.isVisible)
    window.qtbot.mouseClick(link, LEFT)
    output.contrast_limits = limits
    assert tuple(source.contrast_limits) == (limits[0] + 1, limits[1] - 1)
    window.finish()


def test_all_is_as_before_when_the_dock_is_closed_meanwhile(window: Window) -> None:
    source, output = window.begin(2)
    window.part.split.start()
    window.canvas.setFocus()
    QTest.keyPress(window.canvas, H)
    assert not output.visible
    window.gate.let(1000)
    window.viewer.window.remove_dock_widget(window.dock)
    assert (source.visible, output.visible) == (True, True)
    assert not window.part.split.on
    source.contrast_limits = (1, 2)
    assert tuple(output.contrast_limits) != (1, 2)


@pytest.mark.slow
def test_nothing_is_left_when_the_dock_is_destroyed_meanwhile(window: Window) -> None:
    source = window.viewer.add_image(noisy((32, 32)), name="cells")
    output = made_of(source, np.zeros((32, 32), np.float32))
    window.viewer.add_layer(output)
    part = window.part
    part.split.start()
    part.flip.hold()
    children = len(window.canvas.findChildren(QWidget))
    with window.qtbot.waitSignal(window.dock.destroyed):
        window.dock.deleteLater()
    assert (source.visible, output.visible) == (True, True)
    window.wait(lambda: len(window.canvas.findChildren(QWidget)) == children - 3)
    window.viewer.add_layer(made_of(source, np.zeros((32, 32), np.float32)))
    window.viewer.layers.clear()
