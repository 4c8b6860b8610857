"""Device, batch, precision, intensity range and joining; the settings as code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QWidget
from superqt.utils import create_worker

from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.section import Section
from napari_tessera.widgets.fields.sizes import AUTO, NumberEntry
from napari_tessera.widgets.fields.text import bytes_text, in_peoples_words

if TYPE_CHECKING:
    from napari_tessera.models import DeviceInfo

_LABELS = 64
_TIME_POINT, _SERIES, _NONE = "time_point", "series", "none"
_RANGE_TIP = (
    "Where the model's intensity range comes from.\n"
    "Each time point: follows bleaching.\n"
    "Whole series: keeps intensities comparable over time."
)


class AdvancedSection(Section):
    """What most people never change, and what the settings are in Python and on a command line.

    Attributes
    ----------
    changed : Signal()
        A setting was changed.
    python_wanted, command_wanted, reset_wanted : Signal()
        One of the buttons was clicked.
    """

    changed = Signal()
    python_wanted = Signal()
    command_wanted = Signal()
    reset_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        body = QWidget()
        super().__init__("Advanced", body, parent)
        self._batch_reported = ""
        self._auto_device = ""
        self.device = ComboBox(
            name="device", choices=[(AUTO, AUTO)], tooltip="What the model runs on."
        )
        self.device_message = Message()
        self.batch = NumberEntry(
            "batch", "Tiles that go through the model at once.\nEmpty: automatic."
        )
        self.batch_message = Message()
        self.precision = ComboBox(
            name="precision", choices=["float32"], tooltip="Type of number the model computes with."
        )
        self.range = ComboBox(
            name="intensity range",
            choices=[
                ("the model's", AUTO),
                ("each time point", _TIME_POINT),
                ("whole series", _SERIES),
            ],
            tooltip=_RANGE_TIP,
        )
        self.range_message = Message()
        self.joining = ComboBox(
            name="joining tiles",
            choices=[("exact crop", "crop")],
            tooltip="Each pixel comes from the one tile that sees all of its surroundings:\n"
            "no seams, the same as without tiles. The only way so far.",
        )
        self.python_button = PushButton(
            text="Copy as Python", tooltip="Copy code that does what the main button would do now."
        )
        self.command_button = PushButton(
            text="Copy as command", tooltip="Copy a command line that does the same."
        )
        self.reset_button = PushButton(
            text="Reset", tooltip="Set all settings but the image back to what they were at first."
        )
        self.copy_message = Message()
        form = Form(body, _LABELS)
        form.setContentsMargins(12, 0, 0, 4)
        for label, combo, message in (
            ("Device", self.device, self.device_message),
            ("Batch", self.batch, self.batch_message),
            ("Precision", self.precision, None),
            ("Intensity", self.range, self.range_message),
            ("Joining", self.joining, None),
        ):
            native = combo.native
            form.add_row(label, native if combo is self.batch else narrow(native))
            if message is not None:
                form.add_below(message)
        copies = QWidget()
        row = QHBoxLayout(copies)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(self.python_button.native, 1)
        row.addWidget(self.command_button.native, 1)
        form.add_across(copies)
        form.add_across(self.copy_message)
        form.add_across(self.reset_button.native)
        self.range.native.setAccessibleName("Intensity range")
        self.joining.native.setAccessibleName("Joining tiles")
        for widget in (self.device, self.batch, self.precision, self.range, self.joining):
            widget.changed.connect(self._on_changed)
        self.python_button.native.clicked.connect(self._on_python)
        self.command_button.native.clicked.connect(self._on_command)
        self.reset_button.native.clicked.connect(self._on_reset)
        self._show()

    @property
    def batch_size(self) -> str | int:
        """``"auto"`` or the number typed; ValueError where it is none."""
        number = self.batch.typed
        return AUTO if number is None else number

    @property
    def normalization(self) -> str:
        """Intensity range as the engine takes it."""
        return str(self.range.value)

    @property
    def problem(self) -> str:
        """What is wrong with the batch typed; else empty."""
        try:
            number = self.batch.typed
        except ValueError as error:
            return str(error)
        if number is not None and number < 1:
            return f"batch {number} is below 1; use 1 or more"
        return ""

    def find_devices(self) -> None:
        """Offer what this machine has, once that is known: looking for it loads torch."""
        worker = create_worker(_devices, _start_thread=False)
        worker.returned.connect(self.set_devices)
        worker.start()

    def set_devices(self, devices: Sequence[DeviceInfo]) -> None:
        """Offer what this machine has, with its free memory; auto takes the first."""
        chosen = self.device.value
        self._auto_device = devices[0].name if devices else ""
        auto = f"{AUTO} ({device_name(self._auto_device)})" if devices else AUTO
        choices = [(auto, AUTO)]
        for device in devices:
            free = "" if device.free_bytes is None else f" · {bytes_text(device.free_bytes)} free"
            choices.append((f"{device.label}{free}", device.name))
        known = chosen in [value for _, value in choices]
        offer(self.device, choices, chosen if known else AUTO)
        self._show()

    def set_model_has_range(self, has_range: bool) -> None:
        """Offer the model's own intensity range only where it has one."""
        chosen = self.normalization
        if has_range:
            choices = [("the model's", AUTO), ("each time point", _TIME_POINT)]
        else:
            choices = [("each time point", AUTO)]
            chosen = AUTO if chosen == _TIME_POINT else chosen
        choices.append(("whole series", _SERIES))
        offer(self.range, choices, chosen)

    def show_plan(self, batch_size: int, *, auto: bool) -> None:
        """Show what an automatic batch came to."""
        if auto:
            self.batch.set_auto(batch_size)

    def report(self, device: str, batch: str, normalization: str) -> None:
        """Show what planning found wrong with these settings; empty: nothing."""
        self._batch_reported = batch
        self.device_message.say(device)
        self.range_message.say(normalization)
        self._show()

    def say_copied(self, text: str, *, good: bool) -> None:
        """Tell what was copied, or why nothing was."""
        self.copy_message.say(text, "good" if good else "error")

    def reset(self) -> None:
        """Leave everything to the software again."""
        self.device.value = AUTO
        self.batch.value = ""
        self.range.value = AUTO
        self.copy_message.say("")

    def _on_changed(self) -> None:
        self._batch_reported = ""
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        batch = self.problem or in_peoples_words(self._batch_reported)
        self.batch_message.say(batch)
        self.set_problem(batch or self.device_message.message or self.range_message.message)
        chosen = str(self.device.value)
        device = device_name(self._auto_device or AUTO if chosen == AUTO else chosen)
        typed = str(self.batch.value).strip()
        self.set_summary(f"{device}, batch {typed or AUTO}")

    def _on_python(self) -> None:
        self.python_wanted.emit()

    def _on_command(self) -> None:
        self.command_wanted.emit()

    def _on_reset(self) -> None:
        self.reset_wanted.emit()


def device_name(device: str) -> str:
    """A torch device as people write it: ``"CPU"``, ``"CUDA 0"``, ``"auto"``."""
    if device == AUTO:
        return "device auto"
    kind, _, number = device.partition(":")
    return f"{kind.upper()} {number}".strip()


def _devices() -> list[DeviceInfo]:
    from napari_tessera.models import available_devices

    return list(available_devices())
