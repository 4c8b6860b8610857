"""A line on the canvas that can be dragged, with what is shown left and right of it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QRect, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QLabel, QWidget

GRIP = 15
"""Width that can be taken hold of, px."""

NEAREST = 24
"""Least distance of the line from the canvas' sides, px: it must not get out of reach."""

TOP = 8
"""Distance of the labels from the canvas' upper edge, px."""

AWAY = GRIP // 2 + 4
"""Distance of the labels from the line, px."""

_LABEL = (
    "QLabel { background: rgba(0, 0, 0, 150); color: white; padding: 2px 6px; border-radius: 3px; }"
)


class Divider(QWidget):
    """The line, as a child of the canvas; everything beside it stays the canvas' own.

    Parameters
    ----------
    canvas : QWidget
        What it lies on; it follows its size.

    Attributes
    ----------
    moved : Signal()
        It lies elsewhere now: dragged, or the canvas has another size.
    """

    moved = Signal()

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._fraction = 0.5
        self._grabbed_at = 0.0
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setToolTip("Drag: more of the input, or more of the result.")
        self.setAccessibleName("Divider between input and result")
        self.left_label, self.right_label = QLabel(canvas), QLabel(canvas)
        for label in (self.left_label, self.right_label):
            label.setStyleSheet(_LABEL)
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        canvas.installEventFilter(self)
        self._place()

    @property
    def fraction(self) -> float:
        """Where the line is, from 0 at the canvas' left side to 1 at its right one."""
        return self._fraction

    @property
    def edge(self) -> float:
        """The same in pixels of the framebuffer, which may be finer than those of the window."""
        return self._x * self._canvas.devicePixelRatioF()

    @property
    def _x(self) -> int:
        width = self._canvas.width()
        furthest = max(NEAREST, width - NEAREST)
        return min(max(round(self._fraction * width), NEAREST), furthest)

    def say(self, left: str, right: str) -> None:
        """Name what is shown on either side."""
        self.left_label.setText(left)
        self.right_label.setText(right)
        self._place()

    def setVisible(self, visible: bool) -> None:
        """Show the line with its labels, or hide both."""
        super().setVisible(visible)
        self._place()

    def take_away(self) -> None:
        """Leave nothing on the canvas."""
        self._canvas.removeEventFilter(self)
        for widget in (self.left_label, self.right_label, self):
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the size of the canvas."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
            self.moved.emit()
        return super().eventFilter(watched, event)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the line."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        self._grabbed_at = event.position().x() - GRIP / 2

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Move it."""
        if event is None or not event.buttons() & Qt.MouseButton.LeftButton:
            super().mouseMoveEvent(event)
            return
        x = self.mapToParent(event.position().toPoint()).x() - self._grabbed_at
        self._fraction = min(max(x / max(self._canvas.width(), 1), 0.0), 1.0)
        self._place()
        self.moved.emit()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw a line that is seen on bright and dark images, and a grip in its middle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, height = self.width() / 2, self.height()
        dark, light = QColor(0, 0, 0, 150), QColor(255, 255, 255, 230)
        for colour, width in ((dark, 3.0), (light, 1.0)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(round(middle), 0, round(middle), height)
        grip = QRect(1, height // 2 - 16, self.width() - 2, 32)
        painter.setPen(QPen(dark, 1.0))
        painter.setBrush(light)
        painter.drawRoundedRect(grip, 4, 4)
        painter.setPen(QPen(QColor(60, 60, 60), 1.0))
        for offset in (-2, 2):
            x = round(middle) + offset
            painter.drawLine(x, grip.center().y() - 6, x, grip.center().y() + 6)

    def _place(self) -> None:
        """Lay line and labels out; a side has its label only where there is room for it."""
        x, width = self._x, self._canvas.width()
        self.setGeometry(x - GRIP // 2, 0, GRIP, self._canvas.height())
        for label, room in (
            (self.left_label, x - AWAY),
            (self.right_label, width - x - AWAY),
        ):
            label.adjustSize()
            label.setVisible(not self.isHidden() and label.width() <= room)
        self.left_label.move(x - AWAY - self.left_label.width(), TOP)
        self.right_label.move(x + AWAY, TOP)
        self.raise_()
