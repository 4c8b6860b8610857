"""How tiles are joined, and whether each is denoised in several orientations."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.sizes import AUTO

OFF = "none"
_WAYS = {"crop": "exact crop", "linear": "linear", "gaussian": "gaussian"}
_JOINING_TIP = (
    "Exact crop: each pixel comes from the one tile that sees all of its surroundings.\n"
    "Linear, gaussian: neighbouring tiles fade into each other, for models that look at the\n"
    "whole tile."
)
_FLIPS_TIP = (
    "Denoise each tile in 8 orientations (flips and quarter turns) and take their mean or median."
)


class JoiningFields(QWidget):
    """Choosers of how tiles are joined, and of averaging over flips.

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
        self.joining = ComboBox(name="joining tiles", tooltip=_JOINING_TIP)
        self.joining_note = Message()
        self.flips = ComboBox(
            name="average over flips",
            choices=[("off", OFF), ("mean", "mean"), ("median", "median")],
            tooltip=_FLIPS_TIP,
        )
        self.flips_note = Message()
        form = Form(self, label_width)
        for label, name, combo, note in (
            ("Joining", "Joining tiles", self.joining, self.joining_note),
            ("Flips", "Average over flips", self.flips, self.flips_note),
        ):
            form.add_row(label, narrow(combo.native))
            form.add_below(note)
            combo.native.setAccessibleName(name)
        self._auto = ""
        self._exact: bool | None = None
        self._one_tile = False
        self.problem = ""
        """What planning found wrong with these settings; else empty."""
        self._offer()
        self.joining.changed.connect(self._on_changed)
        self.flips.changed.connect(self._on_changed)

    @property
    def blending(self) -> str:
        """How tiles are joined, as the engine takes it."""
        return str(self.joining.value)

    @property
    def tta(self) -> str:
        """``"none"``, ``"mean"`` or ``"median"``."""
        return str(self.flips.value)

    def show_plan(self, blending: str, *, auto: bool, exact: bool, one_tile: bool) -> None:
        """Show what a plan came to.

        Parameters
        ----------
        blending : str
            How its tiles are joined.
        auto : bool
            Whether that was left to the software.
        exact : bool
            Whether the model looks at no more than tiles can overlap.
        one_tile : bool
            Whether one tile covers the image, so that nothing is joined.
        """
        if auto:
            self._auto = blending
            self._offer()
        self._exact, self._one_tile = exact, one_tile
        self._show()

    def report(self, problem: str) -> None:
        """Show what planning found wrong with these settings; empty: nothing."""
        self.problem = problem
        self._show()

    def reset(self) -> None:
        """Leave both to the software again."""
        self.joining.value = AUTO
        self.flips.value = OFF

    def _offer(self) -> None:
        auto = f"{AUTO} ({_WAYS[self._auto]})" if self._auto else AUTO
        chosen = self.joining.value or AUTO
        offer(self.joining, [(auto, AUTO), *((name, way) for way, name in _WAYS.items())], chosen)

    def _on_changed(self) -> None:
        self.problem = ""
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        if self.problem:
            self.joining_note.say(self.problem)
        else:
            self.joining_note.say(self._note(), "muted")
        self.flips_note.say("" if self.tta == OFF else "8× slower.", "muted")

    def _note(self) -> str:
        chosen = self.blending
        if self._exact is None or chosen == AUTO:
            return ""
        if self._one_tile:
            return "One tile covers the image: nothing is joined."
        if self._exact and chosen != "crop":
            return "This model joins exactly by crop as well, in less memory."
        if not self._exact and chosen == "crop":
            return "The model looks at the whole tile: linear hides the seams."
        return ""
