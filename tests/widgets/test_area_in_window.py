"""Areas in a real window: polygons drawn with the mouse, choosers clicked, runs started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import WAIT_MS, Blur, noisy
from tests.widgets.pointer import move

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.channels import PICK, SHOWN
from napari_tessera.widgets.request import EVERYTHING, INSIDE, VIEW, VOLUME
from napari_tessera.widgets.run_state import DONE


class Window:
    """A viewer with the dock, and people's hands."""

    def __init__(self, viewer: Any, qtbot: Any) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        viewer.window._qt_window.resize(1100, 850)
        self.dock = DenoiseDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Denoise")
        self.area = self.dock.settings.area
        self.canvas = viewer.window._qt_viewer.canvas.native

    def wait(self, condition: Any) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def choose(self, combo: Any, text: str) -> None:
        """Choose an entry with the keyboard."""
        combo.setFocus()
        QTest.keyClick(combo, Qt.Key.Key_Home)
        for _ in range(combo.count()):
            if combo.currentText() == text:
                return
            QTest.keyClick(combo, Qt.Key.Key_Down)
        assert combo.currentText() == text

    def at(self, layer: Any, position: tuple[float, ...]) -> QPoint:
        """Where a position in a layer's data lies on the canvas."""
        world = np.asarray(layer.data_to_world(position))[-2:]
        camera = camera_of(self.viewer)
        size = np.array([self.canvas.height(), self.canvas.width()])
        y, x = (world - np.asarray(camera.center)[-2:]) * camera.zoom + size / 2
        return QPoint(round(x), round(y))

    def is_at(self, layer: Any, position: tuple[float, float]) -> bool:
        """Whether the viewer knows the pointer there, to two pixels."""
        found = np.asarray(layer.world_to_data(self.viewer.cursor.position))[-2:]
        return bool(np.allclose(found, position, atol=2))

    def draw(self, layer: Any, corners: list[tuple[float, float]]) -> None:
        """Draw a polygon corner by corner, and finish it with a double click."""
        self.viewer.screenshot(flash=False)  # what a run changed in the window is laid out
        before = len(layer.data)
        for corner in corners:
            move(self.canvas, self.at(layer, corner))
            # napari holds a move that follows another within 5 ms back, and would take it last
            self.wait(lambda corner=corner: self.is_at(layer, corner))
            QTest.mouseClick(
                self.canvas, Qt.MouseButton.LeftButton, pos=self.at(layer, corner), delay=20
            )
        QTest.mouseDClick(
            self.canvas, Qt.MouseButton.LeftButton, pos=self.at(layer, corners[-1]), delay=20
        )
        self.wait(lambda: len(layer.data) == before + 1)
        # a hand draws to a pixel or two
        np.testing.assert_allclose(layer.data[-1], corners, atol=2)

    def denoise(self) -> Any:
        """Press the main button once it can be, and wait for the end."""
        button, controller = self.dock.run_row.main_button.native, self.dock.controller
        self.wait(lambda: self.dock.reason() == "" and button.isEnabled())
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        # that of the run before is an end too
        self.wait(lambda: controller.state != DONE)
        self.wait(lambda: controller.state == DONE)
        return controller.results.outputs[-1]

    @property
    def button(self) -> str:
        return str(self.dock.run_row.main_button.native.text())


@pytest.fixture(scope="module")
def blur(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blur as a TorchScript file."""
    path = tmp_path_factory.mktemp("model") / "blur.pt"
    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        torch.jit.trace(Blur().eval(), torch.zeros(1, 1, 16, 16)).save(str(path))
    return path


@pytest.fixture
def window(make_napari_viewer: Any, qtbot: Any, blur: Path) -> Iterator[Window]:
    window = Window(make_napari_viewer(show=True), qtbot)
    settings = window.dock.settings
    settings.model.value = blur
    settings.tiles.patch_size = (32, 32)
    yield window
    window.dock.shut_down()


def finite(output: Any) -> np.ndarray:
    data = output.data[0] if output.multiscale else output.data
    return np.isfinite(np.asarray(data))


def test_a_polygon_that_is_drawn_is_what_is_denoised(window: Window) -> None:
    cells = window.viewer.add_image(noisy((2, 200, 200)), name="cells", scale=(1, 0.5, 0.5))
    window.wait(lambda: window.dock.settings.image.layers == (cells,))
    window.choose(window.area.chooser.native, INSIDE)
    assert window.button.endswith("Denoise inside shapes")
    assert "Add a Shapes or Labels layer" in window.dock.reason()
    assert not window.dock.run_row.main_button.native.isEnabled()
    QTest.mouseClick(window.area.inside_row.draw_button.native, Qt.MouseButton.LeftButton)
    marks = window.area.inside
    assert marks is not None
    window.wait(lambda: "has no shapes: draw one over cells" in window.dock.reason())
    said = window.area.message
    assert (said.message, said.level) == ("Draw around what is to be denoised", "muted")

    window.draw(marks, [(10, 10), (10, 60), (60, 60)])
    output = window.denoise()
    there = finite(output)
    assert there[:, 14:54, 56].all(), "what is inside, in every plane"
    assert not there[:, 100:].any()
    assert window.button.endswith("Denoise inside shapes")

    # what is edited afterwards is another run
    window.draw(marks, [(150, 150), (150, 190), (190, 190)])
    window.wait(lambda: window.button.endswith("Denoise again"))
    there = finite(window.denoise())
    assert there[:, 160, 180].all()

    marks.name = "renamed"
    assert window.area.inside_row.chooser.native.currentText() == "renamed"
    window.viewer.layers.remove(marks)
    window.wait(lambda: "Add a Shapes or Labels layer" in window.dock.reason())


def test_an_edit_during_a_run_changes_nothing_of_it(window: Window) -> None:
    window.viewer.add_image(noisy((3, 200, 200)), name="cells")
    labels = np.zeros((200, 200), int)
    labels[:40, :40] = 1
    marks = window.viewer.add_labels(labels, name="nuclei")
    window.area.value = INSIDE
    assert window.area.inside is marks
    window.wait(lambda: window.dock.reason() == "")
    QTest.mouseClick(window.dock.run_row.main_button.native, Qt.MouseButton.LeftButton)
    marks.paint((180, 180), 1)
    window.wait(lambda: window.dock.controller.state == DONE)
    there = finite(window.dock.controller.results.outputs[-1])
    assert there[:, :40, :40].all()
    assert not there[:, 150:, 150:].any()
    assert window.button.endswith("Denoise again")


def test_this_volume_and_channels(window: Window) -> None:
    window.viewer.add_image(
        noisy((2, 3, 4, 60, 70)), name="cells", axis_labels=("t", "z", "c", "y", "x")
    )
    window.viewer.dims.set_current_step(0, 1)
    window.viewer.dims.set_current_step(2, 3)
    combo = window.area.chooser.native
    window.wait(lambda: combo.count() == 5)
    window.choose(combo, VOLUME)
    assert window.button.endswith("Denoise this volume")
    channels = window.area.channels_row
    assert channels.isVisible()
    window.choose(channels.chooser.native, SHOWN)
    window.denoise()
    run = next(iter(window.dock.controller.runs))
    assert run.plan is not None
    assert {a: list(run.plan.region.along(a)) for a in "TZC"} == {
        "T": [1],
        "Z": [0, 1, 2],
        "C": [3],
    }
    window.viewer.dims.set_current_step(2, 0)
    window.wait(lambda: window.button.endswith("Denoise again"))
    window.choose(channels.chooser.native, PICK)
    edit = channels.entry.native
    edit.selectAll()
    QTest.keyClicks(edit, "0,9")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    window.wait(lambda: "there is no channel 9" in window.dock.reason())
    edit.selectAll()
    QTest.keyClicks(edit, "0,2")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    window.denoise()
    run = next(iter(window.dock.controller.runs))
    assert run.plan is not None
    assert list(run.plan.region.along("C")) == [0, 2]


def test_nothing_is_cut_in_a_narrow_dock(window: Window) -> None:
    window.viewer.add_image(noisy((3, 2, 60, 70)), axis_labels=("c", "z", "y", "x"))
    window.viewer.add_shapes([[[5, 5], [5, 30], [30, 30]]], shape_type="polygon", name="a" * 60)
    window.area.value = INSIDE
    window.area.channels_row.chooser.value = PICK
    window.wait(lambda: window.area.channels_row.isVisible())
    width = window.area.inside_row.chooser.native.parent().width()
    assert window.area.minimumSizeHint().width() <= 300
    for widget in (window.area.inside_row.chooser.native, window.area.channels_row.entry.native):
        right = widget.mapTo(window.area, QPoint(widget.width(), 0)).x()
        assert right <= window.area.width()
    assert width > 0


def test_the_dock_lets_go_of_the_layer(window: Window) -> None:
    window.viewer.add_image(noisy((60, 70)))
    marks = window.viewer.add_shapes([[[5, 5], [5, 30], [30, 30]]], shape_type="polygon")
    window.area.value = INSIDE
    before = window.area.inside_version
    window.dock.shut_down()
    marks.add([[9, 9], [9, 30], [30, 30]], shape_type="polygon")
    assert window.area.inside_version == before
    for area in (EVERYTHING, VIEW):
        window.area.value = area
