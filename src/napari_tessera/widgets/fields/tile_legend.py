"""What the marks on tiles mean, and how many tiles have each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget
from superqt import QFlowLayout

from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.grid.look import LOOKS, SKY
from napari_tessera.widgets.grid.mesh import CASING, CASING_COLOUR
from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING, SKIPPED, STATE_NAMES

_MEANINGS = (
    "Not denoised yet.",
    "Being denoised now.",
    "Denoised.",
    "An error ended the run while these were being denoised: Continue tries them again.",
    "Outside the shapes or the mask: never denoised.",
)
_GROUND = (0.38, 0.40, 0.43)
"""Grey of a middling image, below each mark."""


class TileMark(QWidget):
    """A small tile in one state, drawn as on the canvas.

    Parameters
    ----------
    state : int
        The state.
    """

    def __init__(self, state: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        edge = self.fontMetrics().height() + 6
        self.setFixedSize(QSize(edge, edge))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw ground, wash, mark and the grid's lines, in this order."""
        look = LOOKS[self._state]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(self.rect())
        tile = whole.adjusted(3, 3, -3, -3)
        painter.fillRect(whole, _colour(*_GROUND))
        painter.fillRect(tile, _colour(*look.wash))
        grid = QPen(_colour(*SKY), 1.2)
        grid.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(grid)
        # Lines go on as those of a grid do: a framed mark alone would look like a box to tick.
        for at in (tile.top(), tile.bottom()):
            painter.drawLine(QPointF(whole.left(), at), QPointF(whole.right(), at))
        for at in (tile.left(), tile.right()):
            painter.drawLine(QPointF(at, whole.top()), QPointF(at, whole.bottom()))
        if look.strokes:
            self._draw_mark(painter, tile)
        painter.end()

    def _draw_mark(self, painter: QPainter, tile: QRectF) -> None:
        look = LOOKS[self._state]
        inset = 2.0 if self._state == RUNNING else 0.0
        room = tile.adjusted(inset, inset, -inset, -inset)
        # Marks fill more of a tile as small as this.
        share = {DONE: 0.75, FAILED: 0.75}.get(self._state, 1.0)
        edge = room.width() * share
        origin = np.array([room.center().y(), room.center().x()]) - edge / 2
        ends = origin + edge * np.array(look.strokes)
        width = min(look.width, edge / 5)
        casing = _colour(*CASING_COLOUR)
        passes = [(width, _colour(*look.colour))]
        if self._state != SKIPPED:
            passes.insert(0, (width + 2 * CASING, casing))
        for thickness, colour in passes:
            pen = QPen(colour, thickness)
            pen.setCapStyle(Qt.PenCapStyle.SquareCap)
            painter.setPen(pen)
            for (top, left), (bottom, right) in ends:
                painter.drawLine(QPointF(left, top), QPointF(right, bottom))


class TileLegend(QWidget):
    """Mark, name and number of the tiles in each state; states that no tile has are left out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QFlowLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(3 * GAP)
        row.setVerticalSpacing(GAP)
        self.entries: list[QLabel] = []
        """What is said of each state, in the order of `STATE_NAMES`."""
        for state, meaning in enumerate(_MEANINGS):
            entry, text = QWidget(), QLabel()
            entry.setToolTip(meaning)
            beside = QHBoxLayout(entry)
            beside.setContentsMargins(0, 0, 0, 0)
            beside.setSpacing(GAP)
            beside.addWidget(TileMark(state))
            beside.addWidget(text)
            row.addWidget(entry)
            self.entries.append(text)
        self.setAccessibleName("Tiles by state")
        self.show_counts(None)

    def show_counts(self, counts: Sequence[int] | None) -> None:
        """Show numbers of tiles in the order of `STATE_NAMES`; None: there is no grid."""
        self.setVisible(counts is not None)
        for text, name, n in zip(self.entries, STATE_NAMES, counts or (), strict=False):
            said = f"{name} {n:,}"
            if text.text() != said:
                text.setText(said)
            entry = text.parentWidget()
            assert entry is not None
            entry.setVisible(n > 0)
        if counts is not None:
            told = (f"{n:,} {name}" for n, name in zip(counts, STATE_NAMES, strict=True) if n)
            self.setAccessibleDescription(", ".join(told))


def _colour(red: float, green: float, blue: float, opacity: float = 1.0) -> QColor:
    return QColor.fromRgbF(red, green, blue, opacity)
