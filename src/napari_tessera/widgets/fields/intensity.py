"""Where the model's intensity range comes from, and on which pixels it is measured."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.sizes import AUTO

SAMPLE, EXACT = "sample", "exact"
_NAMES = {
    "model": "the model's",
    "time_point": "each time point",
    "series": "whole series",
    "none": "none: grey levels as they are",
}
_RANGE_TIP = (
    "Where the model's intensity range comes from.\n"
    "Each time point: follows bleaching.\n"
    "Whole series: keeps intensities comparable over time.\n"
    "None: the model gets the grey levels as they are."
)
_MEASURED_TIP = (
    "On which pixels the intensity range is measured.\n"
    "A sample: begins at once.\n"
    "All pixels: reads the image once before the first tile."
)
_NOTHING_MEASURED = "Nothing is measured: this range does not depend on the image."


class IntensityFields(QWidget):
    """Chooser of the intensity range and of what it is measured on.

    Parameters
    ----------
    label_width : int
        Width of the column of labels, px.

    Attributes
    ----------
    changed : Signal()
        Another choice was made.
    """

    changed = Signal()

    def __init__(self, label_width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._auto = "model"
        self.range = ComboBox(name="intensity range", tooltip=_RANGE_TIP)
        self.message = Message()
        self.measured = ComboBox(
            name="measured on",
            choices=[("a sample", SAMPLE), ("all pixels", EXACT)],
            tooltip=_MEASURED_TIP,
        )
        form = Form(self, label_width)
        form.add_row("Intensity", narrow(self.range.native))
        form.add_below(self.message)
        form.add_row("Measured", narrow(self.measured.native))
        self.range.native.setAccessibleName("Intensity range")
        self.measured.native.setAccessibleName("Measured on")
        self._offer(AUTO)
        self.range.changed.connect(self._on_changed)
        self.measured.changed.connect(self._on_changed)
        self._show()

    @property
    def normalization(self) -> str:
        """Intensity range as the engine takes it."""
        return str(self.range.value)

    @property
    def statistics(self) -> str:
        """``"sample"`` or ``"exact"``."""
        return str(self.measured.value)

    def set_auto(self, kind: str) -> None:
        """Say what the model's own choice is: a plan's kind of normalization."""
        self._auto = kind
        chosen = self.normalization
        self._offer(AUTO if chosen == kind else chosen)
        self._show()

    def report(self, problem: str) -> None:
        """Show what planning found wrong; empty: nothing."""
        self.message.say(problem)

    def reset(self) -> None:
        """Leave both to the software again."""
        self.range.value = AUTO
        self.measured.value = SAMPLE

    def _offer(self, chosen: str) -> None:
        auto = [(_NAMES[self._auto], AUTO)]
        # The model's own range is there only where it is what auto comes to.
        others = [
            (name, kind) for kind, name in _NAMES.items() if kind not in (self._auto, "model")
        ]
        offer(self.range, auto + others, chosen)

    def _on_changed(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        kind = self._auto if self.normalization == AUTO else self.normalization
        measures = kind in ("time_point", "series")
        self.measured.native.setEnabled(measures)
        self.measured.native.setToolTip(_MEASURED_TIP if measures else _NOTHING_MEASURED)
