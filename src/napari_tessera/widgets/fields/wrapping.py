"""A row of widgets that become a column where they do not fit beside one another."""

from __future__ import annotations

from qtpy.QtCore import QRect, QSize
from qtpy.QtWidgets import QBoxLayout, QLayoutItem

from napari_tessera.widgets.fields.look import GAP


class WrappingRow(QBoxLayout):
    """A row that is never wider than its widest widget needs, and fills its width."""

    def __init__(self) -> None:
        super().__init__(QBoxLayout.Direction.LeftToRight)
        self.setSpacing(GAP)

    def minimumSize(self) -> QSize:
        """The widest widget's width; the height of the row as it lies now."""
        return QSize(self._widest(), super().minimumSize().height())

    def hasHeightForWidth(self) -> bool:
        """A column is higher than a row."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height at a width, px."""
        heights = [item.sizeHint().height() for item in self._shown()]
        if not heights:
            return 0
        if self._fits(width):
            return max(heights)
        return sum(heights) + self.spacing() * (len(heights) - 1)

    def minimumHeightForWidth(self, width: int) -> int:
        """The same: nothing is cut."""
        return self.heightForWidth(width)

    def setGeometry(self, rect: QRect) -> None:
        """Lay the widgets out beside one another, or below one another."""
        wanted = QBoxLayout.Direction.LeftToRight
        if not self._fits(rect.width()):
            wanted = QBoxLayout.Direction.TopToBottom
        if self.direction() != wanted:
            self.setDirection(wanted)
        super().setGeometry(rect)

    def _shown(self) -> list[QLayoutItem]:
        items = (self.itemAt(i) for i in range(self.count()))
        return [item for item in items if item is not None and not item.isEmpty()]

    def _widest(self) -> int:
        return max((item.minimumSize().width() for item in self._shown()), default=0)

    def _fits(self, width: int) -> bool:
        needed = [item.minimumSize().width() for item in self._shown()]
        return sum(needed) + self.spacing() * max(0, len(needed) - 1) <= width
