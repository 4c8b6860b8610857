"""Colours of the plots, for dark and light themes, told apart by colour-blind people too."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QWidget


@dataclass(frozen=True)
class PlotColours:
    """What a plot is drawn with: text and lines, and a scale from below 0 through 0 to above."""

    text: QColor
    faint: QColor
    zero: QColor
    below: QColor
    above: QColor

    def at(self, value: float) -> QColor:
        """Colour of a value from −1 to 1."""
        end = self.above if value > 0 else self.below
        share = min(1.0, abs(value))
        mixed = (
            round(a + share * (b - a))
            for a, b in zip(self.zero.getRgb()[:3], end.getRgb()[:3], strict=True)
        )
        return QColor(*mixed)


_DARK = ("#f0f1f2", "#8a919c", "#1d2026", "#5aa2ff", "#ff9f40")
_LIGHT = ("#2a2a2c", "#75757b", "#ffffff", "#1f5fc4", "#b85a00")


def colours_for(widget: QWidget) -> PlotColours:
    """Colours that can be seen on a widget's background."""
    palette = widget.palette()
    background = palette.color(QPalette.ColorRole.Window)
    names = _DARK if background.lightness() < 128 else _LIGHT
    return PlotColours(*map(QColor, names))
