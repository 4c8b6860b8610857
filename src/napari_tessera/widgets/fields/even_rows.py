"""Buttons in as few rows as there is room for, all of them as wide as what they lie in."""

from __future__ import annotations

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtWidgets import QLayout, QLayoutItem, QWidget

from napari_tessera.widgets.fields.look import GAP


class EvenRows(QLayout):
    """Rows that are filled: no widget stands alone where two and two could.

    There are as few rows as can be; what lies in which is chosen so that the fullest of them is
    as short as can be, and what is left of the width is given to the widgets of each row.

    Parameters
    ----------
    parent : QWidget
        The widget that the rows fill.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(GAP)

    def addItem(self, item: QLayoutItem | None) -> None:
        """Take in a widget, which Qt wraps."""
        if item is not None:
            self._items.append(item)
            self.invalidate()

    def count(self) -> int:
        """Number of widgets, hidden ones too."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """One of them; None beyond the last."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Take one of them out."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """Rows fill the width; nothing is gained by height."""
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        """The narrower, the more rows."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height at a width, px."""
        shown = self._shown()
        rows = len(self._rows(shown, width))
        return rows * _height(shown) + max(0, rows - 1) * self.spacing()

    def minimumSize(self) -> QSize:
        """One below the other, if need be."""
        shown = self._shown()
        return QSize(max(map(_width, shown), default=0), _height(shown))

    def sizeHint(self) -> QSize:
        """All beside one another."""
        shown = self._shown()
        return QSize(self._needed(shown), _height(shown))

    def setGeometry(self, rect: QRect) -> None:
        """Lay the widgets out."""
        super().setGeometry(rect)
        shown = self._shown()
        top, height = rect.top(), _height(shown)
        for row in self._rows(shown, rect.width()):
            left, room = rect.left(), max(0, rect.width() - self._needed(row))
            for i, item in enumerate(row):
                more = room * (i + 1) // len(row) - room * i // len(row)
                width = min(_width(item) + more, rect.width())
                item.setGeometry(QRect(left, top, width, height))
                left += width + self.spacing()
            top += height + self.spacing()

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _needed(self, row: list[QLayoutItem]) -> int:
        """Width of widgets beside one another, px."""
        return sum(map(_width, row)) + self.spacing() * max(0, len(row) - 1)

    def _rows(self, shown: list[QLayoutItem], width: int) -> list[list[QLayoutItem]]:
        """What lies in which row."""
        rows = self._filled(shown, width)
        n = len(shown)
        limits = {self._needed(shown[a:b]) for a in range(n) for b in range(a + 1, n + 1)}
        for limit in sorted(limit for limit in limits if limit <= width):
            if len(evener := self._filled(shown, limit)) == len(rows):
                return evener
        return rows

    def _filled(self, shown: list[QLayoutItem], width: int) -> list[list[QLayoutItem]]:
        """Rows into each of which goes what fits, one widget at least."""
        rows: list[list[QLayoutItem]] = []
        for item in shown:
            if rows and self._needed([*rows[-1], item]) <= width:
                rows[-1].append(item)
            else:
                rows.append([item])
        return rows


def _width(item: QLayoutItem) -> int:
    return item.sizeHint().width()


def _height(items: list[QLayoutItem]) -> int:
    return max((item.sizeHint().height() for item in items), default=0)
