"""How much of the image is denoised."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.form import Form, narrow
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW


class AreaField(QWidget):
    """Chooser of the area: what is on screen, this slice, everything.

    Attributes
    ----------
    changed : Signal()
        Another area was chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chooser = ComboBox(
            name="area",
            choices=[VIEW, SLICE, EVERYTHING],
            value=VIEW,
            tooltip="What I see: the part of the slice that is on screen.\n"
            "This slice: all of the plane on display.\n"
            "Everything: all planes, time points and channels.",
        )
        self.chooser.changed.connect(self._on_chosen)
        self.message = Message()
        form = Form(self)
        form.add_row("Area", narrow(self.chooser.native))
        form.add_below(self.message)

    @property
    def value(self) -> str:
        """One of the areas offered."""
        return str(self.chooser.value)

    @value.setter
    def value(self, area: str) -> None:
        self.chooser.value = area

    def report(self, problem: str) -> None:
        """Show why this area cannot be denoised; empty: it can."""
        self.message.say(problem)
        set_property(self.chooser.native, "wrong", "true" if problem else "false")

    def _on_chosen(self) -> None:
        self.report("")
        self.changed.emit()
