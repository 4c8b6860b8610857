"""Trying one tile in a real window: real clicks, drags and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import WAIT_MS, Blur, noisy
from tests.widgets.pointer import move

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.output_layer import PREVIEW_KEY
from napari_tessera.widgets.run_state import BUSY, DONE
from napari_tessera.widgets.try_tile.frame import FRAME_NAME
from napari_tessera.widgets.try_tile.tool import HINT, TryTile

LEFT = Qt.MouseButton.LeftButton


@dataclass
class Window:
    """A viewer with the dock in it."""

    viewer: Any
    dock: DenoiseDock
    qtbot: QtBot
    model: Path

    @property
    def tool(self) -> TryTile:
        return next(part for part in self.dock._parts if isinstance(part, TryTile))

    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    @property
    def said(self) -> str:
        return self.tool.message.message

    def open(self, image: Any, tile: int = 64, **look: Any) -> Any:
        layer = self.viewer.add_image(image, **{"name": "cells", **look})
        self.dock.settings.model.value = self.model
        self.dock.settings.tiles.patch_size = (tile, tile)
        return layer

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def begin(self) -> None:
        self.qtbot.mouseClick(self.tool.button, LEFT)
        assert self.tool.button.isChecked()

    def look_at(self, y: float, x: float, zoom: float) -> None:
        """Bring a point of the world into the middle of the canvas."""
        camera_of(self.viewer).center = (0, y, x)
        camera_of(self.viewer).zoom = zoom
        self.qtbot.wait(20)

    def click_middle(self) -> None:
        """Click what lies in the middle of the canvas."""
        middle = self.canvas.rect().center()
        move(self.canvas, middle)
        QTest.mousePress(self.canvas, LEFT, pos=middle)
        QTest.mouseRelease(self.canvas, LEFT, pos=middle)

    def until_tried(self) -> Any:
        """Wait for the tile and for what the rest takes; gives the output."""
        self.wait(lambda: "Everything:" in self.said)
        assert self.dock.controller.state == DONE
        return self.dock.controller.results.outputs[0]

    def framed(self) -> Any:
        """Bounds of the frame along Y and X, in pixels."""
        layer = self.viewer.layers[FRAME_NAME]
        middle = layer.data[len(layer.data) * 2 // 3 :, 0]
        return np.round(middle.min(axis=0)[-2:] + 0.5), np.round(middle.max(axis=0)[-2:] + 0.5)


@pytest.fixture
def window(make_napari_viewer: Any, qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
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


def test_a_click_denoises_the_tile_there_and_tells_what_the_rest_takes(window: Window) -> None:
    window.open(noisy((3, 600, 700)).astype(np.uint16), axis_labels=("z", "y", "x"))
    window.begin()
    assert window.said == HINT
    assert str(window.viewer.cursor.style) == "cross"
    window.look_at(100, 200, 2)
    window.click_middle()
    output = window.until_tried()
    lines = window.said.splitlines()
    assert lines[0].startswith("Tile 2, 4 of 10 × 12 · 0.")
    assert lines[1].startswith("What I see: ")
    assert lines[2].startswith("Everything: 360 tiles · ~")
    assert lines[2].endswith(" memory")
    # It is said once.
    assert window.dock.run_row.estimate_button.native.isHidden()
    there = np.isfinite(np.asarray(output.data))
    assert output.metadata[PREVIEW_KEY]
    (z,), ys, xs = (np.unique(at) for at in np.nonzero(there))
    assert z == 1
    assert (ys[0] <= 100 <= ys[-1], xs[0] <= 200 <= xs[-1]) == (True, True)
    assert there.sum() == len(ys) * len(xs) == 62 * 62
    start, stop = window.framed()
    np.testing.assert_array_equal(start, (ys[0], xs[0]))
    np.testing.assert_array_equal(stop, (ys[-1] + 1, xs[-1] + 1))
    assert set(window.viewer.layers[FRAME_NAME].data[:, 0, 0]) == {1}
    assert window.viewer.layers.selection.active.name == "cells"

    window.look_at(300, 200, 2)
    window.click_middle()
    window.wait(lambda: window.said.startswith("Tile 5, 4"))
    window.until_tried()
    assert np.isfinite(np.asarray(output.data)).sum() == 2 * 62 * 62
    assert [layer.name for layer in window.viewer.layers].count(FRAME_NAME) == 1

    QTest.keyClick(window.canvas, Qt.Key.Key_Escape)
    assert not window.tool.button.isChecked()
    assert window.said == ""
    assert not window.dock.run_row.estimate_button.native.isHidden()
    assert FRAME_NAME not in window.viewer.layers
    assert str(window.viewer.cursor.style) != "cross"
    window.click_middle()
    window.qtbot.wait(50)
    assert window.dock.controller.state == DONE


def test_a_drag_pans_and_denoises_nothing(window: Window) -> None:
    window.open(noisy((600, 700)))
    window.begin()
    window.look_at(300, 300, 2)
    before = camera_of(window.viewer).center
    middle = window.canvas.rect().center()
    QTest.mousePress(window.canvas, LEFT, pos=middle)
    for step in range(1, 5):
        move(window.canvas, middle + QPoint(20, 15) * step, LEFT)
    QTest.mouseRelease(window.canvas, LEFT, pos=middle + QPoint(80, 60))
    window.qtbot.wait(50)
    assert camera_of(window.viewer).center != before
    assert window.dock.controller.request is None


@pytest.mark.slow
def test_what_is_told_goes_with_the_settings_and_the_tool_with_the_image(window: Window) -> None:
    layer = window.open(noisy((100, 120)))
    window.begin()
    window.look_at(50, 60, 3)
    window.click_middle()
    window.until_tried()
    # All of it is in view.
    assert [line.split(":")[0] for line in window.said.splitlines()[1:]] == ["Everything"]
    window.dock.settings.tiles.patch_size = (48, 48)
    assert window.said == HINT
    assert FRAME_NAME not in window.viewer.layers
    window.wait(lambda: not window.dock.run_row.estimate_button.native.isHidden())
    window.click_middle()
    window.until_tried()
    window.viewer.layers.remove(layer)
    assert window.said == ""
    assert not window.tool.button.isChecked()
    assert FRAME_NAME not in window.viewer.layers
    # An image that was never tried takes the tool with it where none is left.
    last = window.viewer.add_image(noisy((100, 120)), name="last")
    window.begin()
    window.viewer.layers.remove(last)
    window.wait(lambda: not window.tool.button.isChecked())


@pytest.mark.slow
def test_in_a_layer_that_is_scaled_and_rotated(window: Window) -> None:
    layer = window.open(noisy((300, 400)), scale=(0.5, 2.0), rotate=30, translate=(10, -20))
    window.begin()
    y, x = layer.data_to_world((40, 260))
    window.look_at(y, x, 3)
    window.click_middle()
    output = window.until_tried()
    ys, xs = np.nonzero(np.isfinite(np.asarray(output.data)))
    assert ys.min() <= 40 <= ys.max()
    assert xs.min() <= 260 <= xs.max()
    frame = window.viewer.layers[FRAME_NAME]
    np.testing.assert_allclose(frame.rotate, layer.rotate)
    np.testing.assert_allclose(frame.scale, layer.scale)


def test_outside_and_in_3d_it_says_so(window: Window) -> None:
    window.open(noisy((4, 100, 120)), axis_labels=("z", "y", "x"))
    window.begin()
    window.look_at(500, 500, 2)
    window.click_middle()
    window.wait(lambda: "click inside cells" in window.said)
    window.viewer.dims.ndisplay = 3
    window.click_middle()
    window.wait(lambda: "2D display" in window.said)
    assert window.dock.controller.request is None


def test_escape_in_the_dock_and_the_button_end_it(window: Window) -> None:
    window.open(noisy((100, 120)))
    window.begin()
    assert any("Clicks" in repr(one) for one in window.viewer.mouse_drag_callbacks)
    QTest.keyClick(window.dock.run_row.main_button.native, Qt.Key.Key_Escape)
    assert not window.tool.button.isChecked()
    window.begin()
    window.qtbot.mouseClick(window.tool.button, LEFT)
    assert not any("Clicks" in repr(one) for one in window.viewer.mouse_drag_callbacks)
    assert not window.tool.button.isChecked()


@pytest.mark.slow
def test_the_topmost_of_several_images_is_tried(window: Window) -> None:
    under = window.open(noisy((100, 120)))
    over = window.viewer.add_image(noisy((100, 120), 1), name="over")
    window.viewer.layers.selection = {under, over}
    window.begin()
    window.look_at(50, 60, 3)
    window.click_middle()
    assert window.until_tried().name == "over_denoised"


@pytest.mark.slow
def test_what_cannot_be_denoised_is_said(window: Window) -> None:
    window.begin()
    window.click_middle()
    window.wait(lambda: window.said not in ("", HINT))
    window.open(noisy((100, 120)))
    window.dock.settings.model.value = window.model.with_name("gone.pt")
    window.look_at(50, 60, 3)
    window.click_middle()
    window.wait(lambda: "gone.pt" in window.said)


@pytest.mark.slow
def test_it_goes_with_the_dock(window: Window) -> None:
    window.open(noisy((100, 120)))
    window.begin()
    window.look_at(50, 60, 3)
    window.click_middle()
    window.until_tried()
    window.viewer.window.remove_dock_widget(window.dock)
    assert FRAME_NAME not in window.viewer.layers
    assert not any("Clicks" in repr(one) for one in window.viewer.mouse_drag_callbacks)
    assert str(window.viewer.cursor.style) != "cross"
