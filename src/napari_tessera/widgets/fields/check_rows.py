"""The readings of a denoised image as lines: name, value, and a mark; a click explains one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_tessera.prediction.check_readings import NAMES
from napari_tessera.widgets.checks.explanation import Explanation
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.text import unbroken_percent

if TYPE_CHECKING:
    from napari_tessera.prediction import CheckReadings, Reading

GOOD, LOOK = "●", "▲"
"""Marks that are told apart by their shape too."""

_STYLE = """
QPushButton { background: transparent; border: 1px solid transparent; padding: 0; margin: 0; }
QPushButton:hover { border: 1px dotted palette(mid); }
QPushButton:focus { border: 1px solid palette(text); }
"""


LONG = 10
"""Letters of a value that may go on below where there is no room."""


class _Words(QLabel):
    """Words in one line where there is room; in large letters they go on below."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)

    def sizeHint(self) -> QSize:
        """One line: a label that wraps would rather be a square."""
        fonts = self.fontMetrics()
        # a label with a frame, which a style's padding is, keeps as much as an x free beside it
        beside = fonts.horizontalAdvance("x") + 2 * self.frameWidth() + 2
        return QSize(fonts.horizontalAdvance(self.text()) + beside, fonts.height())


class CheckRow(QPushButton):
    """One reading; a button, so that keys and screen readers reach what a click does.

    Parameters
    ----------
    key, name : str
        Which reading it is, and what it is called.

    Attributes
    ----------
    explained : Signal(str)
        The reading's key: it was clicked, or Enter or Space was pressed on it.
    """

    explained = Signal(str)

    def __init__(self, key: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self.setStyleSheet(_STYLE)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.name = _Words(name)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.value = _Words()
        self.mark = QLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(GAP)
        # both marks are as wide as the wider one, so that values end below one another
        self.mark.setMinimumWidth(self.mark.fontMetrics().horizontalAdvance(LOOK) + 4)
        self.mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self.value.setAlignment(right)
        layout.addWidget(self.name, 1)
        layout.addWidget(self.value)
        layout.addWidget(self.mark, 0, right)
        for label in (self.name, self.value, self.mark):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.clicked.connect(self._on_clicked)

    def sizeHint(self) -> QSize:
        """As much as the labels need, not the button's own text."""
        layout = self.layout()
        return super().sizeHint() if layout is None else layout.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """As wide as the longest words."""
        layout = self.layout()
        return super().minimumSizeHint() if layout is None else layout.minimumSize()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter does what Space does."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
            return
        super().keyPressEvent(event)

    def show_reading(self, reading: Reading) -> None:
        """Show a reading's value, and by mark and colour whether it is as it should be."""
        self.value.setText(unbroken_percent(reading.text))
        # a number stays on the line of its unit
        self.value.setWordWrap(len(reading.text) > LONG)
        self.mark.setText(GOOD if reading.good else LOOK)
        set_property(self.mark, "level", "good" if reading.good else "warning")
        judged = "good" if reading.good else "look at it"
        self.setAccessibleName(f"{reading.name}: {reading.text}, {judged}")
        self.setAccessibleDescription("Press for what this means")
        self.setToolTip(f"{reading.tip}\nClick: what this means for this image.")
        self.updateGeometry()

    def _on_clicked(self) -> None:
        self.explained.emit(self.key)


class CheckRows(QWidget):
    """The readings of one denoised image, one below the other.

    Attributes
    ----------
    rows : dict of str to CheckRow
        Lines by key of the reading, in the order shown.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.explanation: Explanation | None = None
        """The window that explains a reading, once one was asked for."""
        self.rows = {key: CheckRow(key, name, self) for key, name in NAMES.items()}
        self.readings: CheckReadings | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for row in self.rows.values():
            row.explained.connect(self.explain)
            layout.addWidget(row)

    def show_readings(self, readings: CheckReadings | None) -> None:
        """Show what was read off the tiles so far; None, or no tile yet: nothing."""
        there = readings is not None and readings.tiles > 0
        self.setVisible(there)
        self.readings = readings if there else None
        for reading in readings.rows() if readings is not None and there else ():
            self.rows[reading.key].show_reading(reading)
        if self.readings is None:
            self.close_explanation()
        elif self.explanation is not None:
            self.explanation.follow(self.readings)

    def explain(self, key: str) -> None:
        """Open the window that explains a reading."""
        if self.readings is None:
            return
        if self.explanation is None:
            self.explanation = Explanation(self)
        self.explanation.explain(key, self.readings)

    def close_explanation(self) -> None:
        """Close the window that explains a reading: what it is of is not shown any more."""
        if self.explanation is not None:
            self.explanation.close()
