"""Rows of label and field, all with the same column of labels, and messages below a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_tessera.widgets.fields.look import GAP, LABEL_WIDTH


class Form(QGridLayout):
    """Two columns: labels, and what they belong to.

    Parameters
    ----------
    parent : QWidget
        The widget that the rows fill.
    label_width : int
        Width of the column of labels, px; the same in every form that is stacked with others.
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
        name = QLabel(label)
        name.setBuddy(fields[0])
        name.setFixedWidth(max(self._label_width, name.sizeHint().width()))
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
