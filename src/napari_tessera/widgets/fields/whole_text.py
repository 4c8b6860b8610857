"""A line that has the width of its words where there is room, and is cut off where there is not."""

from __future__ import annotations

from qtpy.QtCore import QSize
from superqt import QElidingLabel


class WholeText(QElidingLabel):
    """A label whose words may become more: it asks for as much room as all of them take.

    The superclass asks for what it shows: once cut off, it would stay so.
    """

    def sizeHint(self) -> QSize:
        """The size of all words in one line."""
        words = self.fontMetrics().horizontalAdvance(f"{self.text()} ")
        margins = self.contentsMargins()
        return QSize(words + margins.left() + margins.right(), super().sizeHint().height())

    def setText(self, text: str | None) -> None:
        """Say something else, and have the room for it."""
        super().setText(text or "")
        self.updateGeometry()
