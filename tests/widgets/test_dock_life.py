"""The dock as a widget: nothing is cut, all is reached and named, and it lets go of the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QLineEdit, QWidget
from tests.widgets.dock_scene import PROGRESS, Scene
from tests.widgets.fields.conftest import make_store

from napari_tessera.prediction import CheckReadings
from napari_tessera.widgets.dock import WIDTH, DenoiseDock
from napari_tessera.widgets.run_state import (
    RUNNING,
    STOPPED,
)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_at_its_width(scene: Scene, theme: str, tmp_path: Path) -> None:
    scene.viewer.theme = theme
    dock, fields = scene.dock, scene.dock.settings
    scene.controller.spatial_dims = 3
    scene.controller.warnings = ("a_long_word_" * 12,)
    scene.add((20, 32, 32), name="a_very_long_layer_name_" * 4)
    scene.run(RUNNING)
    scene.controller.progress_changed.emit(PROGRESS)
    scene.controller.checks_changed.emit(CheckReadings(3, 1.234, -0.567))
    scene.run(STOPPED, can_resume=True)
    fields.model.value = "/data/" + "long_folder_name/" * 10 + "model.pt"
    fields.model.report("/data/" + "long_folder_name/" * 10 + "model.pt cannot be loaded: no. Do")
    fields.save.path = tmp_path / ("long_name_" * 12)
    make_store(tmp_path / ("long_name_" * 12 + ".ome.zarr"))
    fields.save.refresh()
    for section in (fields.tiles, fields.save, fields.advanced):
        section.set_open(True)
    dock.resize(WIDTH, dock.height())
    QApplication.processEvents()
    view, content = dock.column.viewport(), dock.column.content
    assert view is not None
    assert dock.column.minimumSizeHint().width() <= WIDTH
    assert content.width() <= view.width()
    for child in content.findChildren(QWidget):
        if child.isVisible():
            right = child.mapTo(content, QPoint(child.width(), 0)).x()
            assert right <= content.width(), (type(child).__name__, child.accessibleName())


def test_every_field_can_be_reached_with_the_keyboard_in_order(scene: Scene) -> None:
    scene.add()
    fields = scene.dock.settings
    for section in (fields.tiles, fields.save, fields.advanced):
        section.set_open(True)
    QApplication.processEvents()
    reached: list[QWidget] = []
    widget: QWidget = fields.image.chooser.native
    while widget not in reached:
        reached.append(widget)
        following = widget.nextInFocusChain()
        while following is not None and not (
            following.isVisible()
            and following.isEnabled()
            and following.focusPolicy() & Qt.FocusPolicy.TabFocus
        ):
            following = following.nextInFocusChain()
        assert following is not None
        widget = following
        if not scene.dock.isAncestorOf(widget):
            break
    tops = [w.mapTo(scene.dock.column.content, QPoint(0, 0)).y() for w in reached]
    assert tops == sorted(tops)
    for wanted in (
        fields.model.main.combo,
        fields.area.chooser.native,
        scene.button,
        fields.tiles.header,
        fields.tiles.overlap_entry.entries["X"].edit,
        fields.save.path_entry.native,
        fields.advanced.copies.reset_button.native,
    ):
        assert wanted in reached


def test_every_field_has_a_name_for_those_who_do_not_see_it(scene: Scene) -> None:
    scene.add()
    for section in (scene.dock.settings.tiles, scene.dock.settings.save):
        section.set_open(True)
    for child in scene.dock.column.content.findChildren(QWidget):
        if child.isVisible() and child.focusPolicy() & Qt.FocusPolicy.TabFocus:
            named = child.accessibleName() or getattr(child, "text", str)()
            assert named or isinstance(child.parent(), QLineEdit), type(child).__name__


def test_taken_out_of_the_window_it_lets_go_of_the_viewer(scene: Scene) -> None:
    layer = scene.add()
    scene.run(RUNNING)
    scene.viewer.window.remove_dock_widget(scene.dock)
    assert scene.controller.asked[-1:] == ["stop"]
    assert not scene.viewer.keymap
    before = len(scene.controller.reviewed)
    scene.viewer.layers.remove(layer)
    scene.viewer.add_image(np.zeros((4, 4)))
    scene.viewer.theme = "light"
    scene.dock.shut_down()
    assert len(scene.controller.reviewed) == before


def test_destroyed_with_its_window_it_leaves_nothing_behind(scene: Scene) -> None:
    layer = scene.add()
    with scene.qtbot.waitSignal(scene.dock.destroyed):
        scene.dock.deleteLater()
    layer.data = np.zeros((4, 4))
    scene.viewer.layers.remove(layer)
    scene.viewer.theme = "light"
    assert not scene.viewer.keymap


def test_napari_opens_it_from_the_manifest(make_napari_viewer: Any, qtbot: QtBot) -> None:
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-tessera", "Denoise")
    assert isinstance(dock, DenoiseDock)
    assert dock.request() is None
