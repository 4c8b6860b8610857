"""What most people leave alone: dimensions, network, mask, learning, device, where to save."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import FOREGROUND, TrainingSettings
from napari_tessera.widgets.fields.advanced import device_name, tell_devices
from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.layer_facts import is_ours
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.section import Section
from napari_tessera.widgets.fields.sizes import AUTO, NumberEntry, SizesEntry
from napari_tessera.widgets.fields.text import bytes_text, sizes_text
from napari_tessera.widgets.fields.typing_rest import TypingRest
from napari_tessera.widgets.training.learning import LearningFields
from napari_tessera.widgets.training.request import AUTO_DEVICE
from napari_tessera.widgets.training.save_to import SaveToField

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Layer

    from napari_tessera.models import DeviceInfo

_LABELS = 68
BATCH = {2: 16, 3: 4}
"""Patches of a step by dimensions, where none are typed."""

_EVERYWHERE = "everywhere"
_OFF = "off"

_NUMBERS = {
    "steps": ("Steps", "How often the weights are changed.\nEmpty: as the length says."),
    "batch_size": ("Batch", "Patches of a step."),
    "depth": ("Depth", "How often the network halves the size: how far it looks."),
    "features": (
        "Features",
        "Channels of the network's first level: more learn more, and take longer.",
    ),
    "seed": ("Seed", "Another number gives other patches, masks and first weights."),
}
"""Numbers that can be typed: setting, label and tooltip."""


class TrainingAdvanced(Section):
    """The section *Advanced* of a training.

    Parameters
    ----------
    layers : napari.components.LayerList
        The viewer's layers.

    Attributes
    ----------
    changed : Signal()
        A setting was changed.
    """

    changed = Signal()

    def __init__(self, layers: LayerList, parent: QWidget | None = None) -> None:
        body = QWidget()
        super().__init__("Advanced", body, parent)
        self._layer_list = layers
        self._reports: dict[str, str] = {}
        self._method = "n2v"
        self._has_z = False
        self.dims = ComboBox(
            name="dimensions",
            choices=[("2D, plane by plane", 2), ("3D, volumes", 3)],
            tooltip="3D learns from neighbouring planes too; it takes much longer.",
        )
        self.patch = SizesEntry("patch size", "What the network sees at once.")
        self.numbers = {
            field: NumberEntry(label.lower(), tip) for field, (label, tip) in _NUMBERS.items()
        }
        self.where = ComboBox(
            name="where",
            choices=[("everywhere", _EVERYWHERE)],
            tooltip="Where patches are taken from: shapes and labels other than 0,\n"
            "or where something is to be seen. Background teaches little.",
        )
        self.stripes = ComboBox(
            name="stripes",
            choices=[("off", _OFF), ("along X", "x"), ("along Y", "y")],
            tooltip="For noise that neighbours in a row (X) or column (Y) share, as stripes:\n"
            "they are hidden from the network together (structN2V).",
        )
        self.device = ComboBox(
            name="device", choices=[(AUTO, AUTO_DEVICE)], tooltip="What the training runs on."
        )
        self.learning = LearningFields(_LABELS)
        self.save = SaveToField(_LABELS)
        self.reset_button = PushButton(text="Reset", tooltip="Leave all of this to the software.")
        self.messages = {
            field: Message()
            for field in ("spatial_dims", "mask", "patch_size", *_NUMBERS, "struct_axis", "device")
        }
        self._lay_out(body)
        self._connect()
        self.refresh_choices()

    def settings(self, method: str, steps: int) -> TrainingSettings:
        """What is asked for.

        Raises
        ------
        TrainingError
            Naming the field whose value cannot be.
        """
        typed: dict[str, Any] = {}
        for field, entry in self.numbers.items():
            number = self._typed(field, entry)
            if number is not None:
                typed[field] = number
        try:
            patch = self.patch.value
        except ValueError as error:
            raise TrainingError(str(error), "patch_size") from error
        stripes = str(self.stripes.value)
        return TrainingSettings(
            method=method,
            spatial_dims=int(self.dims.value),
            patch_size=None if isinstance(patch, str) else patch,
            struct_axis=None if stripes == _OFF or method == "supervised" else stripes,
            **{"steps": steps, **typed, **self.learning.chosen},
        )

    @property
    def typed_steps(self) -> int | None:
        """Steps typed here; None where there are none, or they are no number."""
        try:
            return self.numbers["steps"].typed
        except ValueError:
            return None

    @property
    def mask_layer(self) -> Layer | str | None:
        """The layer that says where, ``"foreground"``, or None for everywhere."""
        chosen: Any = self.where.value
        return None if chosen == _EVERYWHERE else chosen

    def set_image(self, letters: str) -> None:
        """Say which axes the image has: volumes need Z."""
        self._has_z = "Z" in letters
        choices = [("2D, plane by plane" if self._has_z else "2D", 2)]
        if self._has_z:
            choices.append(("3D, volumes", 3))
        dims = int(self.dims.value) if self._has_z else 2
        offer(self.dims, choices, dims)
        self.learning.set_channels("C" in letters)
        self._show()

    def set_method(self, method: str) -> None:
        """Say what is learned from."""
        self._method = method
        self.stripes.native.setEnabled(method != "supervised")
        self.learning.set_method(method)
        self._show()

    def refresh_choices(self) -> None:
        """Offer the Shapes and Labels layers that the viewer has now."""
        from napari.layers import Labels, Shapes

        found = [
            layer
            for layer in self._layer_list
            if isinstance(layer, Shapes | Labels) and not is_ours(layer)
        ]
        choices: list[tuple[str, Any]] = [
            ("everywhere", _EVERYWHERE),
            ("foreground (automatic)", FOREGROUND),
            *((f"in {layer.name}", layer) for layer in found),
        ]
        before = self.where.value
        known = any(before is value or before == value for _, value in choices)
        offer(self.where, choices, before if known else _EVERYWHERE)
        self._show()

    def find_devices(self) -> None:
        """Offer what this machine has, once that is known: looking for it loads torch."""
        tell_devices(self.set_devices)

    def set_devices(self, devices: Sequence[DeviceInfo]) -> None:
        """Offer what this machine has, with its free memory."""
        auto = f"{AUTO} ({device_name(devices[0].name)})" if devices else AUTO
        choices = [(auto, AUTO_DEVICE)]
        for device in devices:
            free = "" if device.free_bytes is None else f" · {bytes_text(device.free_bytes)} free"
            choices.append((f"{device.label}{free}", device.name))
        chosen = str(self.device.value)
        known = chosen in [value for _, value in choices]
        offer(self.device, choices, chosen if known else AUTO_DEVICE)
        self._show()

    def report(self, field: str, problem: str) -> bool:
        """Show what was found wrong with one of these settings; False where it is none of them."""
        if field in ("model_out", "checkpoint"):
            self.save.report(problem)
        elif field in self._places:
            self._reports[field] = problem
        else:
            return False
        self._show()
        return True

    def place_of(self, field: str) -> QWidget:
        """Where `report` shows what is wrong with a field, to be scrolled to."""
        return self._places.get(field, self.save)

    def forget_reports(self) -> None:
        """Show nothing of what an earlier training found."""
        self._reports = {}
        self.save.report("")
        self._show()

    def reset(self) -> None:
        """Leave everything to the software."""
        self.dims.value = 2
        self.patch.value = AUTO
        for entry in self.numbers.values():
            entry.value = ""
        self.where.value = _EVERYWHERE
        self.stripes.value = _OFF
        self.learning.reset()
        self.device.value = AUTO_DEVICE
        self.save.path = None

    def _typed(self, field: str, entry: NumberEntry) -> int | None:
        try:
            return entry.typed
        except ValueError as error:
            raise TrainingError(str(error), field) from error

    def _lay_out(self, body: QWidget) -> None:
        form = Form(body, _LABELS)
        form.setContentsMargins(12, 0, 0, 4)
        form.add_row("Planes", narrow(self.dims.native))
        form.add_below(self.messages["spatial_dims"])
        form.add_row("Where", narrow(self.where.native))
        form.add_below(self.messages["mask"])
        form.add_row("Patch size", self.patch)
        form.add_below(self.messages["patch_size"])
        for field, entry in self.numbers.items():
            form.add_row(_NUMBERS[field][0], entry.edit)
            form.add_below(self.messages[field])
        form.add_row("Stripes", narrow(self.stripes.native))
        form.add_below(self.messages["struct_axis"])
        form.add_row("Device", narrow(self.device.native))
        form.add_below(self.messages["device"])
        form.add_across(self.learning)
        form.add_across(self.save)
        form.add_across(self.reset_button.native)

    def _connect(self) -> None:
        rest = TypingRest(self)
        rest.settled.connect(self._on_changed)
        for entry in self.numbers.values():
            rest.watch(entry.edit)
        self.patch.changed.connect(self._on_changed)
        self.save.changed.connect(self._on_changed)
        self.learning.changed.connect(self._on_changed)
        for chooser in (self.dims, self.where, self.stripes, self.device):
            chooser.changed.connect(self._on_changed)
        self.reset_button.changed.connect(self.reset)

    def _on_changed(self) -> None:
        self._reports = {}
        self._show()
        self.changed.emit()

    @property
    def _places(self) -> dict[str, Message]:
        """Where what is wrong is shown, by field."""
        return self.messages | self.learning.messages

    @property
    def _typed_problem(self) -> dict[str, str]:
        """What is wrong as it is typed, by its field."""
        try:
            self.settings(self._method, TrainingSettings.steps)
        except TrainingError as error:
            return {error.field: str(error)}
        return {}

    @property
    def _problems(self) -> dict[str, str]:
        """What is wrong, by field: as typed, else as reported."""
        found = self._reports | self._typed_problem
        return {field: problem for field, problem in found.items() if problem}

    @property
    def problem(self) -> str:
        """Why nothing can be trained with these settings; empty where something can.

        What a training found wrong is not among it: what was drawn in a mask since then, or how
        much room there is on a disk, is not known before the next try.
        """
        return next(iter(self._typed_problem.values()), "") or self.save.problem

    def _show(self) -> None:
        dims = int(self.dims.value)
        self.patch.set_letters("ZYX" if dims == 3 else "YX")
        for field in ("depth", "features", "seed"):
            self.numbers[field].set_auto(getattr(TrainingSettings, field))
        self.numbers["batch_size"].set_auto(BATCH[dims])
        problems = self._problems
        for field, message in self.messages.items():
            message.say(problems.get(field, ""))
        for field, entry in self.numbers.items():
            set_property(entry.edit, "wrong", "true" if field in problems else "false")
        self.learning.show_problems(problems)
        self.patch.mark_wrong("patch_size" in problems)
        shown = next(iter(problems.values()), "") or self.save.message.message
        self.set_problem(shown)
        self.set_summary(self._summary())

    def _summary(self) -> str:
        facts = [f"{int(self.dims.value)}D"]
        if not self.patch.typed_nothing and "patch_size" not in self._problems:
            patch = self.patch.value
            facts.append(patch if isinstance(patch, str) else sizes_text(patch))
        if self.mask_layer is not None:
            facts.append(str(self.where.native.currentText()))
        facts.append(device_name(str(self.device.value)))
        return ", ".join(facts)
