"""The residual's autocorrelation, drawn: as a map around no shift, and along rows and columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_tessera.prediction.check_readings import STRUCTURE
from napari_tessera.widgets.checks.colours import PlotColours, colours_for

LEAST_RANGE = 0.2
"""Correlation that has the full colour at least, so that chance does not look like structure."""

_TEXT = 14
_CENTRE = Qt.AlignmentFlag.AlignCenter


class _Plot(QWidget):
    """Draws an autocorrelation; nothing where there is none yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.correlation: NDArray[np.float64] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_correlation(self, correlation: NDArray[np.float64] | None) -> None:
        """Draw an autocorrelation, shift 0 in its middle; None: nothing yet."""
        self.correlation = correlation
        self.setAccessibleDescription("" if correlation is None else profile_text(correlation))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 130)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = colours_for(self)
        painter.setPen(colours.text)
        if self.correlation is None or not np.isfinite(self.correlation).any():
            waits = "Measuring…" if self.correlation is None else "Too few pixels"
            painter.drawText(QRectF(self.rect()), _CENTRE, waits)
        else:
            self.draw(painter, self.correlation, colours)
        painter.end()

    def draw(
        self, painter: QPainter, correlation: NDArray[np.float64], colours: PlotColours
    ) -> None:
        """Draw what there is."""
        raise NotImplementedError


class CorrelationMap(_Plot):
    """Autocorrelation by shift along Y and X: the middle is no shift, and always 1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Autocorrelation of the removed noise, by shift")

    def draw(
        self, painter: QPainter, correlation: NDArray[np.float64], colours: PlotColours
    ) -> None:
        """Squares of colour, the scale below them."""
        n = len(correlation)
        edge = min(self.width() - 2 * _TEXT, self.height() - 3 * _TEXT - 8)
        cell = max(2.0, edge / n)
        left, top = (self.width() - n * cell) / 2, 2.0
        reach = largest(correlation)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for (row, column), value in np.ndenumerate(correlation):
            place = QRectF(left + column * cell, top + row * cell, cell + 0.5, cell + 0.5)
            if row == column == n // 2 or not np.isfinite(value):
                painter.fillRect(place, QBrush(colours.faint, Qt.BrushStyle.Dense5Pattern))
            else:
                painter.fillRect(place, colours.at(value / reach))
        whole = QRectF(left, top, n * cell, n * cell)
        painter.setPen(colours.faint)
        painter.drawRect(whole)
        self._draw_scale(painter, whole, reach, n // 2, colours)

    def _draw_scale(
        self, painter: QPainter, whole: QRectF, reach: float, farthest: int, colours: PlotColours
    ) -> None:
        painter.setPen(colours.text)
        below = QRectF(0, whole.bottom(), self.width(), _TEXT)
        painter.drawText(below, _CENTRE, f"shift along X, −{farthest}…{farthest} px")
        painter.save()
        painter.translate(whole.left() - 1, whole.bottom())
        painter.rotate(-90)
        painter.drawText(QRectF(0, -_TEXT, whole.height(), _TEXT), _CENTRE, "shift along Y")
        painter.restore()
        bar = QRectF(whole.left(), below.bottom() + 3, whole.width(), 7)
        steps = 41
        for step in range(steps):
            value = 2 * step / (steps - 1) - 1
            width = bar.width() / steps
            at = QRectF(bar.left() + step * width, bar.top(), width + 0.5, bar.height())
            painter.fillRect(at, colours.at(value))
        painter.setPen(colours.faint)
        painter.drawRect(bar)
        painter.setPen(colours.text)
        for value, side in (
            (-reach, Qt.AlignmentFlag.AlignLeft),
            (0.0, Qt.AlignmentFlag.AlignHCenter),
            (reach, Qt.AlignmentFlag.AlignRight),
        ):
            place = QRectF(bar.left(), bar.bottom(), bar.width(), _TEXT)
            painter.drawText(place, side, f"{value:+.1f}".replace("-", "−") if value else "0")


class CorrelationProfile(_Plot):
    """Autocorrelation along a row and along a column, and what is still taken for noise."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Autocorrelation of the removed noise, along rows and columns")

    def draw(
        self, painter: QPainter, correlation: NDArray[np.float64], colours: PlotColours
    ) -> None:
        """Two lines with marks of different shape over a band."""
        middle = len(correlation) // 2
        along_rows, along_columns = correlation[middle, middle:], correlation[middle:, middle]
        lowest = float(min(-0.2, np.nanmin(along_rows), np.nanmin(along_columns)))
        frame = QRectF(30, 7, self.width() - 44, self.height() - 2 * _TEXT - 15)

        def at(shift: int, value: float) -> QPointF:
            x = frame.left() + frame.width() * shift / middle
            return QPointF(x, frame.top() + frame.height() * (1 - value) / (1 - lowest))

        band = QRectF(at(0, STRUCTURE), at(middle, -STRUCTURE))
        painter.fillRect(band, QBrush(colours.faint, Qt.BrushStyle.Dense6Pattern))
        painter.setPen(colours.faint)
        painter.drawRect(frame)
        painter.drawLine(at(0, 0), at(middle, 0))
        painter.setPen(colours.text)
        for value in (0.0, 0.5, 1.0):
            y = at(0, value).y()
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - 7, 27, 14), right, f"{value:g}")
        for shift in (0, 5, middle):
            x = at(shift, 0).x()
            painter.drawText(QRectF(x - 15, frame.bottom(), 30, _TEXT), _CENTRE, f"{shift}")
        for values, colour, round_marks in (
            (along_rows, colours.above, True),
            (along_columns, colours.below, False),
        ):
            painter.setPen(QPen(colour, 1.5))
            painter.setBrush(colour)
            points = [at(i, float(v)) for i, v in enumerate(values) if np.isfinite(v)]
            painter.drawPolyline(QPolygonF(points))
            for point in points:
                _mark(painter, point, round_marks)
        self._draw_legend(painter, colours)

    def _draw_legend(self, painter: QPainter, colours: PlotColours) -> None:
        y = self.height() - _TEXT / 2 - 2
        half = 0.45 * self.width()
        for left, colour, round_mark, text in (
            (4.0, colours.above, True, "along rows"),
            (half, colours.below, False, "along columns"),
        ):
            painter.setPen(QPen(colour, 1.5))
            painter.setBrush(colour)
            _mark(painter, QPointF(left + 5, y), round_mark)
            painter.setPen(colours.text)
            middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(left + 12, y - 8, self.width() - left, 16), middle, text)


def _mark(painter: QPainter, at: QPointF, is_round: bool) -> None:
    if is_round:
        painter.drawEllipse(at, 2.5, 2.5)
    else:
        painter.drawRect(QRectF(at.x() - 2.5, at.y() - 2.5, 5, 5))


def largest(correlation: NDArray[np.float64]) -> float:
    """Largest size of a correlation beside that of no shift; `LEAST_RANGE` at least."""
    beside = correlation.copy()
    beside[tuple(size // 2 for size in beside.shape)] = 0
    return max(LEAST_RANGE, float(np.nanmax(np.abs(beside))))


def profile_text(correlation: NDArray[np.float64]) -> str:
    """The first pixels of both profiles in words: ``"1 px further: 0.23 along rows, …"``."""
    middle = len(correlation) // 2
    lines = []
    for shift in (1, 2):
        row, column = correlation[middle, middle + shift], correlation[middle + shift, middle]
        if np.isfinite(row) and np.isfinite(column):
            lines.append(f"{shift} px further: {row:.2f} along rows, {column:.2f} along columns")
    return "\n".join(lines).replace("-", "−")
