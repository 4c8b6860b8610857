"""How a network learns: loss, rate and its schedule, what is held out, when to end early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from magicgui.widgets import CheckBox, ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings
from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.line_entry import edit_of, line_entry
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.typing_rest import TypingRest

_SUPERVISED = "supervised"

_CHOICES: dict[str, tuple[str, tuple[tuple[str, Any], ...], str]] = {
    "independent_channels": (
        "Channels",
        (("a network each", True), ("one for all", False)),
        "One network for all channels may take from one what it lacks in another:\n"
        "only where they show the same structures.",
    ),
    "loss": (
        "Loss",
        (("auto (L2)", "auto"), ("L1, absolute", "l1"), ("L2, squared", "l2")),
        "Difference to the clean layer. L2 keeps the mean grey value; L1 bears outliers better.",
    ),
    "schedule": (
        "Schedule",
        (("cosine", "cosine"), ("at a plateau", "plateau")),
        "How the learning rate falls: to zero along half a cosine,\n"
        "or by half where what is held out is no better than before.",
    ),
    "precision": (
        "Precision",
        (
            ("auto", "auto"),
            ("float32", "float32"),
            ("bfloat16", "bfloat16"),
            ("float16", "float16"),
        ),
        "What the network computes in. Auto takes what the device is fast in.",
    ),
}
"""Settings that are chosen: label, choices, tooltip."""

_NUMBERS: dict[str, tuple[str, type, str, str]] = {
    "learning_rate": ("Rate", float, "", "Learning rate at its highest, like 0.001."),
    "masked_percent": (
        "Hidden %",
        float,
        "",
        "Pixels of a patch that are hidden from the network, and that it learns from, in per cent.",
    ),
    "validation_percent": (
        "Held out %",
        float,
        "",
        "Part of the image that is never trained on but looked at to see\n"
        "how much was learned, in per cent. 0: none.",
    ),
    "patience": (
        "Early stop",
        int,
        "never",
        "End after so many looks at what is held out that found no gain. Empty: never.",
    ),
}
"""Settings that are typed: label, kind, what stands in the empty field (none: auto), tooltip."""


class LearningFields(QWidget):
    """Choosers and numbers; what nobody touches is left to `TrainingSettings`.

    Parameters
    ----------
    label_width : int
        Width of the column of labels, px.

    Attributes
    ----------
    changed : Signal()
        Something was chosen, or typed to its end.
    """

    changed = Signal()

    def __init__(self, label_width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._method = TrainingSettings.method
        self._has_channels = False
        self.choosers = {
            field: ComboBox(name=label.lower(), choices=choices, tooltip=tip)
            for field, (label, choices, tip) in _CHOICES.items()
        }
        self.numbers = {
            field: line_entry(
                label.lower(),
                tip,
                empty or f"auto {getattr(TrainingSettings, field):g}",
                label.replace("%", "per cent"),
            )
            for field, (label, _, empty, tip) in _NUMBERS.items()
        }
        self.augment_box = CheckBox(
            name="flip and turn patches",
            text="Flip and turn patches",
            tooltip="Patches are mirrored and turned by quarters at random.\n"
            "Off where up and down, or left and right, mean something.",
        )
        self.augment_box.native.setAccessibleName("Flip and turn patches")
        self.messages = {field: Message() for field in (*_CHOICES, *_NUMBERS)}
        self._lay_out(label_width)
        self._connect()
        self.reset()

    @property
    def chosen(self) -> dict[str, Any]:
        """Settings that differ from the defaults, for the method that was set.

        Raises
        ------
        TrainingError
            Naming the field where what was typed is no number.
        """
        found: dict[str, Any] = {
            field: chooser.value
            for field, chooser in self.choosers.items()
            if self._applies(field) and chooser.value != getattr(TrainingSettings, field)
        }
        for field in _NUMBERS:
            number = self._typed(field) if self._applies(field) else None
            if number is not None:
                found[field] = number
        if not self.augment_box.value:
            found["augment"] = False
        return found

    def set_method(self, method: str) -> None:
        """Say what is learned from; what does not apply to it cannot be touched."""
        self._method = method
        self._show_what_applies()

    def set_channels(self, several: bool) -> None:
        """Say whether the image has several channels."""
        self._has_channels = several
        self._show_what_applies()

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Show what is wrong, by field."""
        for field, message in self.messages.items():
            message.say(problems.get(field, ""))
        for field, entry in self.numbers.items():
            set_property(edit_of(entry), "wrong", "true" if field in problems else "false")

    def reset(self) -> None:
        """Leave everything to the software."""
        for field, chooser in self.choosers.items():
            chooser.value = getattr(TrainingSettings, field)
        for entry in self.numbers.values():
            entry.value = ""
        self.augment_box.value = TrainingSettings.augment
        self._rest.finish()

    def _applies(self, field: str) -> bool:
        if field == "independent_channels":
            return self._has_channels
        if field == "loss":
            return self._method == _SUPERVISED
        return field != "masked_percent" or self._method != _SUPERVISED

    def _show_what_applies(self) -> None:
        for field, widget in (self.choosers | self.numbers).items():
            widget.native.setEnabled(self._applies(field))
        for field, chooser in self.choosers.items():
            if not self._applies(field):
                offer(chooser, _CHOICES[field][1], getattr(TrainingSettings, field))

    def _typed(self, field: str) -> float | int | None:
        label, kind, _, _ = _NUMBERS[field]
        text = str(self.numbers[field].value).strip()
        if text.lower() in ("", "auto", "never"):
            return None
        try:
            number: float | int = kind(text)
        except ValueError:
            wanted = "whole number" if kind is int else "number"
            raise TrainingError(
                f"{label.lower()}: {text!r} is no {wanted}; type one, or leave it empty", field
            ) from None
        return number

    def _lay_out(self, label_width: int) -> None:
        form = Form(self, label_width)
        for field in ("independent_channels", "loss", "learning_rate", "schedule"):
            self._add(form, field)
        for field in ("validation_percent", "patience", "masked_percent", "precision"):
            self._add(form, field)
        form.add_row("Patches", self.augment_box.native)

    def _add(self, form: Form, field: str) -> None:
        if field in self.choosers:
            form.add_row(_CHOICES[field][0], narrow(self.choosers[field].native))
        else:
            form.add_row(_NUMBERS[field][0], edit_of(self.numbers[field]))
        form.add_below(self.messages[field])

    def _connect(self) -> None:
        self._rest = TypingRest(self)
        self._rest.settled.connect(self.changed)
        for entry in self.numbers.values():
            self._rest.watch(edit_of(entry))
        for widget in (*self.choosers.values(), self.augment_box):
            widget.changed.connect(self._on_chosen)

    def _on_chosen(self) -> None:
        self.changed.emit()
