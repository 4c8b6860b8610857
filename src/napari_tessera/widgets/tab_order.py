"""Tab goes through the dock as people read it, wherever its widgets were made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLayout, QLayoutItem, QWidget

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock


class TabOrder:
    """Orders what parts have added to the dock; the last of them.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        for before, after in pairwise(read_in_order(dock.column.content)):
            QWidget.setTabOrder(before, after)

    def close(self) -> None:
        """Nothing of the viewer is held."""


def read_in_order(widget: QWidget) -> Iterator[QWidget]:
    """Widgets that take the keyboard, from top to bottom and from left to right."""
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    layout = widget.layout()
    if layout is not None:
        yield from _in_layout(layout)


def _in_layout(layout: QLayout) -> Iterator[QWidget]:
    for item in _items(layout):
        inner, widget = item.layout(), item.widget()
        if widget is not None:
            yield from read_in_order(widget)
        elif inner is not None:
            yield from _in_layout(inner)


def _items(layout: QLayout) -> list[QLayoutItem]:
    """Items of a layout as they are read."""
    found = [(i, item) for i in range(layout.count()) if (item := layout.itemAt(i)) is not None]
    if isinstance(layout, QGridLayout):
        found.sort(key=lambda one: layout.getItemPosition(one[0])[:2])
    return [item for _, item in found]
