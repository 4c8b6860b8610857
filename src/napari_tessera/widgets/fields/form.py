"""Rows of label and field, all with the same column of labels, and messages below a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_tessera.widgets.fields.look import GAP, LABEL_WIDTH

USUAL_FONT = 16
"""Height of a line of napari's usual font, px."""


class Form(QGridLayout):
    """Two columns: labels, and what they belong to.

    Parameters
    ----------
    parent : QWidget
        The widget that the rows fill.
    label_width : int
        Width of the column of labels, px, at napari's usual size of font; the same in every form
        that is stacked with others.
    """

    def __init__(self, parent: QWidget, label_width: int = LABEL_WIDTH) -> None:
        super().__init__(parent)
        self.setContentsMargins(0, 0, 0, 0)
        self.setHorizontalSpacing(GAP)
        self.setVerticalSpacing(GAP)
        self._label_width = label_width
        self.setColumnStretch(1, 1)

    def add_row(self, label: str, *fields: QWidget, stretch: int | None = 0) -> QLabel:
        """Add a label and the fields beside it; the label's buddy is the first field.

        Parameters
        ----------
        label : str
            Text, also the accessible name of fields that have none.
        *fields : QWidget
            From left to right.
        stretch : int or None
            Which field takes the width that is left; None: each the same.
        """
        at = self.rowCount()
        name = FieldLabel(label, self._label_width)
        name.setBuddy(fields[0])
        beside_lines = isinstance(fields[0], QLabel)
        upright = Qt.AlignmentFlag.AlignTop if beside_lines else Qt.AlignmentFlag.AlignVCenter
        self.addWidget(name, at, 0, upright | Qt.AlignmentFlag.AlignLeft)
        for field in fields:
            if not field.accessibleName():
                field.setAccessibleName(label)
        if len(fields) == 1:
            self.addWidget(fields[0], at, 1)
            return name
        row = QHBoxLayout()
        row.setSpacing(GAP)
        for i, field in enumerate(fields):
            row.addWidget(field, int(stretch is None or i == stretch))
        self.addLayout(row, at, 1)
        return name

    def add_below(self, widget: QWidget) -> None:
        """Add a widget below the last field, in the fields' column."""
        self.setColumnMinimumWidth(0, self._label_width)
        self.addWidget(widget, self.rowCount(), 1)

    def add_across(self, widget: QWidget) -> None:
        """Add a widget over both columns."""
        self.addWidget(widget, self.rowCount(), 0, 1, 2)


class FieldLabel(QLabel):
    """A label as wide as the others of its column, at any size of font.

    Parameters
    ----------
    text : str
        What it says.
    width : int
        Least width at napari's usual size of font, px.
    """

    def __init__(self, text: str, width: int) -> None:
        super().__init__(text)
        self._width = width
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        """The text's size, and at least the column's width."""
        needed = super().sizeHint()
        return QSize(max(needed.width(), scaled(self._width, self)), needed.height())

    def minimumSizeHint(self) -> QSize:
        """The same: it is never cut."""
        return self.sizeHint()


def scaled(length: int, widget: QWidget) -> int:
    """A length that was measured at napari's usual size of font, px, at a widget's font."""
    return round(length * max(1.0, widget.fontMetrics().height() / USUAL_FONT))


def offer(chooser: ComboBox, choices: Sequence[tuple[str, Any]], chosen: Any) -> None:
    """Give a chooser other choices, in this order, and choose one without telling anybody."""
    with chooser.changed.blocked():
        # It would keep the places of those that it has already, by their text.
        chooser.choices = ()
        chooser.choices = choices
        if choices:
            chooser.value = chosen


def narrow(combo: QComboBox) -> QComboBox:
    """Let a chooser be as narrow as the dock needs it, whatever its longest entry is."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(6)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo


def as_wide_as_its_text(button: QPushButton) -> None:
    """Let a button that shows a symbol be no wider than that, at any size of font."""
    button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
