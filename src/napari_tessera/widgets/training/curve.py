"""The losses of a training as curves."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.form import scaled
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.training.box import Curve

HEIGHT = 112
"""Height of the plot at napari's usual size of font, px."""

_SETTLED = 0.05
"""Part of the training after which the first losses, far above the rest, no longer count."""

_FEW_STEPS = 100
"""Steps that there is room for in any case."""

_COLOURS = {
    "dark": {"text": "#b0b4bc", "training": "#8fa6ff", "validation": "#f0b429"},
    "light": {"text": "#56565c", "training": "#2f4fb5", "validation": "#9a5b00"},
}


class LossCurve(QWidget):
    """Training and validation loss over steps; the plot is made when there is something to show.

    Loading pyqtgraph takes a few tenths of a second, which only those wait for who train.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind = "dark"
        self._plot: Any = None
        self._lines: dict[str, Any] = {}
        self.legend = QLabel(legend_text(self._kind))
        """Which line is which: beside the plot, where it hides nothing of it."""
        self.legend.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        set_property(self.legend, "level", "muted")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._layout.addWidget(self.legend)
        self.setAccessibleName("Loss curve")
        self.hide()

    @property
    def is_made(self) -> bool:
        """Whether there is a plot."""
        return self._plot is not None

    @property
    def points(self) -> dict[str, tuple[Any, Any]]:
        """Steps and losses as they are plotted, by the name of the curve."""
        return {name: line.getData() for name, line in self._lines.items()}

    def set_theme(self, kind: str) -> None:
        """Take the colours of a theme of type ``"dark"`` or ``"light"``."""
        self._kind = kind if kind in _COLOURS else "dark"
        self.legend.setText(legend_text(self._kind))
        if self._plot is not None:
            self._colour()

    def show_curve(self, curve: Curve, steps: int) -> None:
        """Show losses, of a training of so many steps; nothing where there are none yet."""
        if not curve.training:
            self.hide()
            return
        if self._plot is None:
            self._make()
        for name, points in (("training", curve.training), ("validation", curve.validation)):
            at = np.array(points, float).reshape(-1, 2)
            self._lines[name].setData(at[:, 0], at[:, 1])
        self._plot.setXRange(0, steps_shown(curve, steps), padding=0.01)
        low, high = loss_range(curve)
        self._plot.setYRange(low, high, padding=0.06)
        self.setToolTip(curve_tip(curve))
        self.setAccessibleDescription(curve_tip(curve))
        self.show()

    def _make(self) -> None:
        pg = load_pyqtgraph()
        plot = self._plot = pg.PlotWidget()
        plot.setFixedHeight(scaled(HEIGHT, self))
        plot.setMinimumWidth(80)
        plot.setFocusPolicy(self.focusPolicy())
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        # the wheel scrolls the dock
        plot.wheelEvent = _pass_on
        item = plot.getPlotItem()
        item.getAxis("left").enableAutoSIPrefix(False)
        item.getAxis("bottom").enableAutoSIPrefix(False)
        # the ends of the lines stand apart from the frame
        item.layout.setContentsMargins(0, 3, 6, 0)
        for name in ("training", "validation"):
            self._lines[name] = item.plot(name=name)
        self._layout.addWidget(plot)
        self._colour()

    def _colour(self) -> None:
        pg = load_pyqtgraph()
        from qtpy.QtCore import Qt

        colours = _COLOURS[self._kind]
        self._plot.setBackground(None)
        item = self._plot.getPlotItem()
        for side in ("bottom", "left"):
            axis = item.getAxis(side)
            axis.setPen(colours["text"])
            axis.setTextPen(colours["text"])
        # told apart by more than the colour
        self._lines["training"].setPen(pg.mkPen(colours["training"], width=1.5))
        line = self._lines["validation"]
        line.setPen(pg.mkPen(colours["validation"], width=1.5, style=Qt.PenStyle.DashLine))
        line.setSymbol("o")
        line.setSymbolSize(5)
        line.setSymbolPen(colours["validation"])
        line.setSymbolBrush(colours["validation"])


def legend_text(kind: str) -> str:
    """What the lines are, in the colours of a theme of type ``"dark"`` or ``"light"``."""
    colours = _COLOURS[kind]
    return (
        f"Loss:&nbsp; <span style='color: {colours['training']}'>━━</span> training&nbsp; "
        f"<span style='color: {colours['validation']}'>╍●╍</span> validation"
    )


def steps_shown(curve: Curve, steps: int) -> int:
    """Up to which step there is room: half of the plot at least is filled, but at the beginning.

    Parameters
    ----------
    curve : Curve
        At least one point.
    steps : int
        Of the whole training.
    """
    shown = max(1, steps)
    while shown >= 2 * max(_FEW_STEPS, curve.training[-1][0]):
        shown = -(-shown // 2)
    return shown


def loss_range(curve: Curve) -> tuple[float, float]:
    """Least and largest loss to be shown; the first ones count only as long as there are no others.

    Parameters
    ----------
    curve : Curve
        At least one point.
    """
    last = curve.training[-1][0]
    points = [*curve.training, *curve.validation]
    settled = [loss for step, loss in points if step >= _SETTLED * last]
    finite = [loss for loss in settled if np.isfinite(loss)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    # a line that is level lies in the middle
    beside = 0.0 if high > low else 0.5 * abs(low) + 1e-6
    return low - beside, high + beside


def curve_tip(curve: Curve) -> str:
    """What to read off a loss curve."""
    told = [f"training loss {curve.training[-1][1]:.4g}"]
    if curve.validation:
        told.append(f"validation loss {curve.validation[-1][1]:.4g}")
    return (
        f"Now: {', '.join(told)}.\n"
        "As long as both fall, more steps help. Noise cannot be learned: neither goes to 0.\n"
        "Validation is on a part of the image that is never trained on."
    )


def load_pyqtgraph() -> Any:
    """The plotting library, loaded where it is not yet; Python's hooks for errors stay napari's."""
    hooks = sys.excepthook, threading.excepthook
    try:
        import pyqtgraph
    finally:
        sys.excepthook, threading.excepthook = hooks
    return pyqtgraph


def _pass_on(event: Any) -> None:
    event.ignore()
