"""What the camera adds to the light: hot pixels, an offset and a gain."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import CheckBox, LineEdit
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.prediction.camera_numbers import checked_gain, checked_offset
from napari_tessera.widgets.fields.form import Form
from napari_tessera.widgets.fields.line_entry import edit_of, line_entry
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.typing_rest import TypingRest

KEEP, REPLACE = "keep", "replace"
_HOT_TIP = (
    "Replace isolated hot and dead pixels by the median of their 8 neighbours\n"
    "before the model sees them. Spots of two pixels and more stay."
)
_OFFSET_TIP = (
    "Grey level that the camera gives without light, like 100. Empty: 0.\n"
    "It is subtracted before the model and added again after it."
)
_GAIN_TIP = (
    "Grey levels per photo-electron, like 0.46. Empty: 1.\n"
    "For models that were trained in photo-electrons: the result is in grey levels again."
)
_LIKE: dict[Callable[[object], float | None], str] = {checked_offset: "100", checked_gain: "0.46"}
"""What people type, by what checks it."""


class CameraFields(QWidget):
    """A box for hot pixels, and a number each for offset and gain.

    Parameters
    ----------
    label_width : int
        Width of the column of labels, px.

    Attributes
    ----------
    changed : Signal()
        The box was clicked, or a number was typed to its end.
    """

    changed = Signal()

    def __init__(self, label_width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reported = ""
        self.hot_box = CheckBox(name="hot pixels", text="Replace hot pixels", tooltip=_HOT_TIP)
        self.offset = line_entry("camera offset", _OFFSET_TIP, "0 grey levels", "Camera offset")
        self.gain = line_entry("camera gain", _GAIN_TIP, "1 grey level per electron", "Camera gain")
        self.message = Message()
        form = Form(self, label_width)
        form.add_row("Camera", self.hot_box.native)
        form.add_row("Offset", self.offset.native)
        form.add_row("Gain", self.gain.native)
        form.add_below(self.message)
        self.hot_box.native.setAccessibleName("Replace hot pixels")
        self._rest = TypingRest(self)
        for entry in (self.offset, self.gain):
            self._rest.watch(edit_of(entry))
        self._rest.settled.connect(self._on_changed)
        self.hot_box.changed.connect(self._on_changed)

    @property
    def hot_pixels(self) -> str:
        """``"keep"`` or ``"replace"``."""
        return REPLACE if self.hot_box.value else KEEP

    @hot_pixels.setter
    def hot_pixels(self, wanted: str) -> None:
        self.hot_box.value = wanted == REPLACE

    @property
    def camera_offset(self) -> float | None:
        """Grey level of no light; None for 0; ValueError where it is none."""
        return _typed(self.offset, checked_offset)

    @camera_offset.setter
    def camera_offset(self, offset: float | None) -> None:
        self.offset.value = _text(offset)
        self._rest.finish()

    @property
    def camera_gain(self) -> float | None:
        """Grey levels per photo-electron; None for 1; ValueError where it is none."""
        return _typed(self.gain, checked_gain)

    @camera_gain.setter
    def camera_gain(self, gain: float | None) -> None:
        self.gain.value = _text(gain)
        self._rest.finish()

    @property
    def problem(self) -> str:
        """What is wrong with the numbers typed; else empty."""
        return self._wrong(self.offset, checked_offset) or self._wrong(self.gain, checked_gain)

    def report(self, problem: str) -> None:
        """Show what planning found wrong with these settings; empty: nothing."""
        self._reported = problem
        self._show()

    def reset(self) -> None:
        """Leave grey levels as they are again."""
        self.hot_pixels = KEEP
        self.camera_offset = self.camera_gain = None
        self._reported = ""
        self._show()

    def _on_changed(self) -> None:
        self._reported = ""
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        for entry, checked in ((self.offset, checked_offset), (self.gain, checked_gain)):
            wrong = bool(self._wrong(entry, checked))
            set_property(edit_of(entry), "wrong", "true" if wrong else "false")
        self.message.say(self.problem or self._reported)

    @staticmethod
    def _wrong(entry: LineEdit, checked: Callable[[object], float | None]) -> str:
        try:
            _typed(entry, checked)
        except ValueError as error:
            return str(error)
        return ""


def _typed(entry: LineEdit, checked: Callable[[object], float | None]) -> float | None:
    text = str(entry.value).strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise ValueError(
            f"{entry.name} {text!r} is no number; type one like {_LIKE[checked]}, or nothing"
        ) from None
    return checked(number)


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:.15g}"
