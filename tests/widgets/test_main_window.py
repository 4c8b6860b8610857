from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDialog, QMainWindow

from napari_tessera.widgets.main_window import main_window


def test_dialogs_belong_to_the_visible_main_window(qtbot: Any) -> None:
    assert main_window() is None
    hidden, window, dialog = QMainWindow(), QMainWindow(), QDialog()
    for widget in (hidden, window, dialog):
        qtbot.addWidget(widget)
    window.show()
    with qtbot.waitExposed(window):
        pass
    assert main_window() is window
