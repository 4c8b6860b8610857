"""A hand over napari's canvas whose every move arrives where it was meant.

`QTest.mouseMove` moves the display's own pointer: its event comes after what the test does next,
and not at all where the pointer lies there already. And vispy leaves out moves that come within
10 ms of the last one, so that the last place of a quick hand is never known. napari holds back for
5 ms what vispy lets through: who needs to know that it has arrived waits for it.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QEnterEvent, QMouseEvent
from qtpy.QtWidgets import QApplication

NONE = Qt.MouseButton.NoButton
LEFT = Qt.MouseButton.LeftButton


def enter(widget: Any) -> None:
    """Come onto a widget, wherever the display's own pointer is."""
    position = QPointF(widget.rect().center())
    seen = widget.mapToGlobal(position)
    QApplication.sendEvent(widget, QEnterEvent(position, position, seen))


def move(canvas: Any, position: QPoint, held: Qt.MouseButton = NONE) -> None:
    """Move over a canvas, with a button held down or none."""
    assert canvas._last_time >= 0, "vispy counts from elsewhere"
    canvas._last_time = 0.0
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(position),
        QPointF(canvas.mapToGlobal(position)),
        NONE,
        held,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas, event)
