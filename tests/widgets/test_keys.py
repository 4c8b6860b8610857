"""Keys of the features, pressed for real on canvas and dock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.utils.key_bindings import coerce_keybinding
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton

from napari_tessera.widgets.actions import COMPARE, LIVE, TRY
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.main_key import (
    COMPARE_KEY,
    GRID_KEY,
    PREVIEW_KEY,
    TRY_KEY,
    WHAT_KEYS_DO,
)

CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def dock(make_napari_viewer: Any) -> DenoiseDock:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    viewer.add_image(np.zeros((64, 64), np.uint16), name="cells")
    return dock


def canvas(dock: DenoiseDock) -> Any:
    return dock.viewer.window._qt_viewer.canvas.native


def test_the_grid_comes_and_goes(dock: DenoiseDock, qtbot: QtBot) -> None:
    tiles = dock.settings.tiles
    assert GRID_KEY.endswith("G")
    for wanted in (True, False, True):
        qtbot.keyClick(canvas(dock), Qt.Key.Key_G, CTRL_SHIFT)
        assert tiles.grid_is_wanted == wanted
    # out of a field of the dock, too
    qtbot.keyClick(tiles.size_entry.entries["Y"].edit, Qt.Key.Key_G, CTRL_SHIFT)
    assert not tiles.grid_is_wanted
    assert tiles.patch_size == "auto"


def test_keys_click_the_buttons_of_features(dock: DenoiseDock, qtbot: QtBot) -> None:
    for key, name in ((TRY_KEY, TRY), (COMPARE_KEY, COMPARE), (PREVIEW_KEY, LIVE)):
        button = dock.findChild(QAbstractButton, name)
        assert button is not None
        clicked: list[bool] = []
        button.clicked.connect(lambda *_, clicked=clicked: clicked.append(True))
        button.setEnabled(True)
        qtbot.keyClick(canvas(dock), getattr(Qt.Key, f"Key_{key[-1]}"), CTRL_SHIFT)
        assert clicked == [True], name


def test_keys_go_with_the_dock(dock: DenoiseDock) -> None:
    viewer = dock.viewer
    ours = {coerce_keybinding(key) for key, _ in WHAT_KEYS_DO}
    assert ours <= set(viewer.keymap)
    viewer.window.remove_dock_widget(dock)
    assert not ours & set(viewer.keymap)


def test_a_key_that_is_somebodys_stays_theirs(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    pressed: list[bool] = []

    def theirs(_: Any) -> None:
        pressed.append(True)

    viewer.bind_key(GRID_KEY, theirs)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    assert viewer.keymap[coerce_keybinding(GRID_KEY)] is theirs
    viewer.window.remove_dock_widget(dock)
    assert viewer.keymap[coerce_keybinding(GRID_KEY)] is theirs
