"""A field to type in, as narrow as the dock needs it."""

from __future__ import annotations

from magicgui.widgets import LineEdit
from qtpy.QtWidgets import QLineEdit, QSizePolicy

LEAST_WIDTH = 40
"""Narrowest field, px."""


def line_entry(name: str, tooltip: str, empty: str, read_as: str) -> LineEdit:
    """Make a field that is typed in.

    Parameters
    ----------
    name : str
        What it holds, as errors name it.
    tooltip : str
        What it does.
    empty : str
        What stands in it where nothing is typed.
    read_as : str
        What screen readers say.
    """
    entry = LineEdit(name=name, tooltip=tooltip)
    edit = edit_of(entry)
    edit.setAccessibleName(read_as)
    edit.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    edit.setMinimumWidth(LEAST_WIDTH)
    edit.setPlaceholderText(empty)
    return entry


def edit_of(entry: LineEdit) -> QLineEdit:
    """The Qt widget of a field."""
    native: QLineEdit = entry.native
    return native
