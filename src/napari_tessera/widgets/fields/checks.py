"""Readings that tell whether the denoised image can be trusted so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_tessera.widgets.fields.check_rows import CheckRows
from napari_tessera.widgets.fields.even_rows import EvenRows
from napari_tessera.widgets.fields.form import Form

if TYPE_CHECKING:
    from napari_tessera.prediction import CheckReadings

_FLIPS_TIP = (
    "Denoise what is in view in 8 orientations, and show how much they differ (their standard\n"
    "deviation). Shows where the model is unstable, not where it is wrong. Takes 8× as long."
)


class CheckStrip(QWidget):
    """The readings, and buttons that compare input and output; hidden until a tile is done.

    Attributes
    ----------
    rows : CheckRows
        The readings; a click on one explains it.
    removed_noise_toggled : Signal()
        The layer of removed noise is to be shown, or hidden where it is shown.
    disagreement_toggled : Signal()
        The layer of flip disagreement is to be made, or hidden where it is shown.
    """

    removed_noise_toggled = Signal()
    disagreement_toggled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = CheckRows()
        self.noise_button = PushButton(
            text="Removed noise", tooltip="Show input − output as a layer, or hide it."
        )
        self.flips_button = PushButton(text="Flip disagreement", tooltip=_FLIPS_TIP)
        buttons = QWidget()
        row = EvenRows(buttons)
        for button, slot in ((self._noise, self._on_noise), (self._flips, self._on_flips)):
            button.setCheckable(True)
            button.clicked.connect(slot)
            row.addWidget(button)
        self.buttons = row
        """Buttons of what compares input and output."""
        self._something = self._aside = False
        form = Form(self)
        label = form.add_row("Check", self.rows)
        form.setAlignment(label, Qt.AlignmentFlag.AlignTop)
        form.add_below(buttons)
        self.hide()

    @property
    def _noise(self) -> QPushButton:
        native: QPushButton = self.noise_button.native
        return native

    @property
    def _flips(self) -> QPushButton:
        native: QPushButton = self.flips_button.native
        return native

    def show_readings(self, readings: CheckReadings | None) -> None:
        """Show what was read off the tiles so far; None, or no tile yet: nothing."""
        self._something = readings is not None and readings.tiles > 0
        self.setVisible(self._something and not self._aside)
        self.rows.show_readings(readings)

    def set_aside(self, aside: bool) -> None:
        """Hide the readings while another image than theirs is chosen."""
        self._aside = aside
        self.setVisible(self._something and not aside)
        if aside:
            self.rows.close_explanation()

    def set_noise_shown(self, shown: bool) -> None:
        """Let the button tell whether the removed noise is on display."""
        self._noise.setChecked(shown)

    def set_flips_shown(self, shown: bool, *, can_run: bool) -> None:
        """Let the button tell whether flip disagreement is on display, and whether it can be."""
        self._flips.setChecked(shown)
        self._flips.setEnabled(shown or can_run)

    def _on_noise(self) -> None:
        self.removed_noise_toggled.emit()

    def _on_flips(self) -> None:
        self.disagreement_toggled.emit()
