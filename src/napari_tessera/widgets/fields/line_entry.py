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
    fit(edit_of(entry), read_as)
    edit_of(entry).setPlaceholderText(empty)
    return entry


def fit(edit: QLineEdit, read_as: str) -> None:
    """Let a field be as narrow as the dock needs it, and say to screen readers what it is."""
    edit.setAccessibleName(read_as)
    edit.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    edit.setMinimumWidth(LEAST_WIDTH)


def edit_of(entry: LineEdit) -> QLineEdit:
    """The Qt widget of a field."""
    native: QLineEdit = entry.native
    return native
