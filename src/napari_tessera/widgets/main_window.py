"""The window that dialogs belong to."""

from __future__ import annotations

from qtpy.QtWidgets import QApplication, QMainWindow, QWidget


def main_window() -> QWidget | None:
    """The window that people work in, whose theme its dialogs have; None where there is none."""
    windows = [
        widget
        for widget in QApplication.topLevelWidgets()
        if isinstance(widget, QMainWindow) and widget.isVisible()
    ]
    return QApplication.activeWindow() or next(iter(windows), None)
