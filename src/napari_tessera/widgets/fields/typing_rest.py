"""When something typed counts: as soon as the keys rest, or the field is left."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QLineEdit

REST_MS = 300
"""How long the keys have to rest before what is typed counts."""


class TypingRest(QObject):
    """Tells once for many keys. Of 56 the first digit alone is odd: nobody wants to be told that.

    Attributes
    ----------
    settled : Signal()
        What was typed counts now.
    """

    settled = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.settled)

    def watch(self, edit: QLineEdit) -> None:
        """Wait for a field's keys to rest, or for the field to be left."""
        edit.textChanged.connect(self._on_key)
        edit.editingFinished.connect(self.finish)

    def finish(self) -> None:
        """What is typed counts now, if it does not already."""
        if self._timer.isActive():
            self._timer.stop()
            self.settled.emit()

    def _on_key(self) -> None:
        self._timer.start()
