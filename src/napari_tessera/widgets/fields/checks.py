"""Readings that tell whether the denoised image can be trusted so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_tessera.widgets.fields.form import Form
from napari_tessera.widgets.fields.look import GAP, set_property

if TYPE_CHECKING:
    from napari_tessera.prediction import CheckReadings

_INTENSITY_TIP = (
    "Sum of the denoised image over the sum of the input, over the tiles done.\n"
    "Green from 98 to 102 %.\n"
    "Near 100 % does not prove that small structures are real."
)
_RESIDUAL_TIP = (
    "How much neighbouring pixels of input − output resemble each other: noise of a camera does\n"
    "not, so what does was structure. Green below 0.1 in size."
)

_FLIPS_TIP = (
    "Denoise what is in view in 8 orientations, and show how much they differ (their standard\n"
    "deviation). Shows where the model is unstable, not where it is wrong. Takes 8× as long."
)


class _Reading(QWidget):
    """Name, value, and a mark that tells by shape and colour whether it is as it should be."""

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__()
        self._name = name
        self.value = QLabel()
        self.mark = QLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addWidget(QLabel(name), 1)
        layout.addWidget(self.value, 0, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignRight)
        self.setToolTip(tooltip)

    def show_value(self, value: str, *, good: bool) -> None:
        self.value.setText(value)
        self.mark.setText("●" if good else "▲")
        set_property(self.mark, "level", "good" if good else "warning")
        self.setAccessibleName(f"{self._name}: {value}, {'good' if good else 'look at it'}")


class CheckStrip(QWidget):
    """Two readings and the button that shows the removed noise; hidden until a tile is done.

    Attributes
    ----------
    removed_noise_toggled : Signal()
        The layer of removed noise is to be shown, or hidden where it is shown.
    disagreement_toggled : Signal()
        The layer of flip disagreement is to be made, or hidden where it is shown.
    """

    removed_noise_toggled = Signal()
    disagreement_toggled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.intensity = _Reading("Intensity kept", _INTENSITY_TIP)
        self.residual = _Reading("Structure in residual", _RESIDUAL_TIP)
        self.noise_button = PushButton(
            text="Removed noise", tooltip="Show input − output as a layer, or hide it."
        )
        self.flips_button = PushButton(text="Flip disagreement", tooltip=_FLIPS_TIP)
        buttons = QWidget()
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        for button, slot in ((self._noise, self._on_noise), (self._flips, self._on_flips)):
            button.setCheckable(True)
            button.clicked.connect(slot)
            row.addWidget(button)
        row.addStretch()
        self.buttons = row
        """Buttons of what compares input and output."""
        self._something = self._aside = False
        form = Form(self)
        form.add_row("Check", self.intensity)
        form.add_below(self.residual)
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
        if readings is None or readings.tiles < 1:
            return
        kept = readings.intensity_kept
        word = "" if readings.intensity_ok else "low " if kept < 1 else "high "
        self.intensity.show_value(f"{word}{100 * kept:.1f} %", good=readings.intensity_ok)
        residual = "none" if readings.residual_ok else f"{readings.residual_correlation:.2f}"
        self.residual.show_value(residual, good=readings.residual_ok)

    def set_aside(self, aside: bool) -> None:
        """Hide the readings while another image than theirs is chosen."""
        self._aside = aside
        self.setVisible(self._something and not aside)

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
