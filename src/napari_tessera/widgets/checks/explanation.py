"""A window that explains one reading: what it means, what to do, and how it is found."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_tessera.prediction.autocorrelation import autocorrelation
from napari_tessera.prediction.check_readings import STRIPED, STRUCTURE_LEFT
from napari_tessera.widgets.checks.plots import CorrelationMap, CorrelationProfile, profile_text
from napari_tessera.widgets.checks.words import explain
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.text import unbroken_percent
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.worker import Outcome

if TYPE_CHECKING:
    from napari_tessera.prediction import CheckReadings

WIDTH = 460
"""Width of the window, px."""

PLOTTED = (STRUCTURE_LEFT, STRIPED)
"""Readings that the autocorrelation of the residual tells more of."""


class Explanation(QDialog):
    """Explains a reading, and follows it while tiles come in. Not modal; Esc closes it.

    Parameters
    ----------
    parent : QWidget
        The readings that it belongs to.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setModal(False)
        self.key = ""
        self._readings: CheckReadings | None = None
        self._drawn_for = 0
        self.value = self._label()
        self.meaning = self._label()
        self.to_do = self._label()
        self.figures = self._label()
        self.method = self._label("muted")
        self.map = CorrelationMap(self)
        self.profile = CorrelationProfile(self)
        self.plots = QWidget(self)
        plots = QHBoxLayout(self.plots)
        plots.setContentsMargins(0, GAP, 0, 0)
        plots.addWidget(self.map, 1)
        plots.addWidget(self.profile, 1)
        self.close_button = QPushButton("Close", self)
        self.close_button.clicked.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setSpacing(3 * GAP)
        for label in (self.value, self.meaning, self.to_do):
            layout.addWidget(label)
        layout.addWidget(self.plots, 1)
        layout.addWidget(self.figures)
        layout.addWidget(self.method)
        layout.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)
        self._job = NewestJob("measuring what was removed", self, at_once=1)
        self._job.finished.connect(self._on_measured)
        self.setMinimumWidth(WIDTH)

    def explain(self, key: str, readings: CheckReadings) -> None:
        """Show what a reading means, and come to the front."""
        self.key = key
        self._drawn_for = 0
        self.map.show_correlation(None)
        self.profile.show_correlation(None)
        self._show(readings)
        self.adjustSize()
        self.show()
        self.raise_()
        self.activateWindow()

    def follow(self, readings: CheckReadings) -> None:
        """Show newer readings of the same image, where the window is open."""
        if self.isVisible() and self.key:
            self._show(readings)

    def _show(self, readings: CheckReadings) -> None:
        self._readings = readings
        reading = next(row for row in readings.rows() if row.key == self.key)
        words = explain(reading, readings)
        self.setWindowTitle(reading.name)
        mark, level = ("●", "good") if reading.good else ("▲", "warning")
        tiles = f"{readings.tiles:,} {'tile' if readings.tiles == 1 else 'tiles'}"
        value = unbroken_percent(f"{mark} {reading.name}: {reading.text} (over {tiles})")
        self.value.setText(value)
        set_property(self.value, "level", level)
        self.meaning.setText(unbroken_percent(words.meaning))
        self.to_do.setText("\n".join(f"→ {line}" for line in words.to_do))
        self.to_do.setVisible(bool(words.to_do))
        self.method.setText(unbroken_percent(reading.tip.replace("\n", " ")))
        plotted = self.key in PLOTTED
        self.plots.setVisible(plotted)
        self.figures.setVisible(plotted)
        if plotted:
            self._measure(readings)

    def _measure(self, readings: CheckReadings) -> None:
        """Work the plots out anew once there are twice as many tiles as they are of."""
        if readings.tiles >= 2 * self._drawn_for:
            self._drawn_for = readings.tiles
            self._job.ask(self.key, partial(autocorrelation, readings.residuals))

    def _on_measured(self, key: str, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.figures.setText(f"The plot cannot be drawn: {outcome.error}")
            return
        self.map.show_correlation(outcome.value)
        self.profile.show_correlation(outcome.value)
        self.figures.setText(profile_text(outcome.value))

    def _label(self, level: str = "") -> QLabel:
        label = QLabel(self)
        label.setWordWrap(True)
        # what others wrote, as the name of a file, is text, and can be copied
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if level:
            set_property(label, "level", level)
        return label
