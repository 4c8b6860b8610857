"""A button that does something for as long as it is held down."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QPushButton


class LetGo(QObject):
    """Takes a button that is hidden, or whose window is left, while it is down for let go of.

    Qt itself does so where the mouse leaves the button, the keyboard goes elsewhere, or the button
    is disabled.

    Parameters
    ----------
    button : QPushButton
        The button; this object is its child.
    """

    def __init__(self, button: QPushButton) -> None:
        super().__init__(button)
        self._button = button
        button.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Let go of the button."""
        gone = (QEvent.Type.Hide, QEvent.Type.WindowDeactivate)
        if event is not None and event.type() in gone and self._button.isDown():
            self._button.setDown(False)
            self._button.released.emit()
        return super().eventFilter(watched, event)
