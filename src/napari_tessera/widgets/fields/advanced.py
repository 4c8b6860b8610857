"""Device, batch, precision, intensity range and joining; the settings as code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget
from superqt.utils import create_worker

from napari_tessera.widgets.fields.camera import KEEP, CameraFields
from napari_tessera.widgets.fields.copying import CopyRow
from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.intensity import IntensityFields
from napari_tessera.widgets.fields.joining import OFF, JoiningFields
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.run_on import RunOnFields
from napari_tessera.widgets.fields.section import Section
from napari_tessera.widgets.fields.sizes import AUTO, NumberEntry
from napari_tessera.widgets.fields.text import bytes_text, in_peoples_words

if TYPE_CHECKING:
    from napari_tessera.models import DeviceInfo
    from napari_tessera.widgets.reports import PlanReview

ALL_GPUS = "all"
"""Device that stands for every GPU: they share the tiles of a run."""

_LABELS = 76
"""Room for the longest label, in all forms of this section."""

_LARGEST_BATCH = 10_000
"""Far beyond any that is of use: what is typed by mistake would make tiles as small as can be."""

_PRECISIONS = ("float32", "bfloat16", "float16")
_PRECISION_TIP = (
    "Type of number the model computes with.\n"
    "The shorter ones save memory and, on a GPU, time; grey levels differ a little."
)


class AdvancedSection(Section):
    """What most people never change, and what the settings are in Python and on a command line.

    Attributes
    ----------
    changed : Signal()
        A setting was changed.
    device_missed : Signal(str)
        A device that was expected is none of this machine's; auto was chosen instead.
    intensity, joining, camera : IntensityFields, JoiningFields, CameraFields
        Intensity range; joining of tiles and averaging over flips; hot pixels, offset and gain.
    run_on : RunOnFields
        This computer, or a Dask cluster.
    copies : CopyRow
        Buttons for the settings as a whole.
    """

    changed = Signal()
    device_missed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        body = QWidget()
        super().__init__("Advanced", body, parent)
        self._batch_reported = ""
        self._auto_device = ""
        self.device = ComboBox(
            name="device", choices=[(AUTO, AUTO)], tooltip="What the model runs on."
        )
        self.batch = NumberEntry(
            "batch", "Tiles that go through the model at once.\nEmpty: automatic."
        )
        self.batch_message = Message()
        self.precision = ComboBox(name="precision", choices=_PRECISIONS, tooltip=_PRECISION_TIP)
        self.intensity = IntensityFields(_LABELS)
        self.joining = JoiningFields(_LABELS)
        self.camera = CameraFields(_LABELS)
        self.run_on = RunOnFields(_LABELS)
        self.copies = CopyRow()
        form = Form(body, _LABELS)
        form.setContentsMargins(12, 0, 0, 4)
        form.add_row("Device", narrow(self.device.native))
        form.add_row("Batch", self.batch.native)
        form.add_below(self.batch_message)
        form.add_row("Precision", narrow(self.precision.native))
        parts = (self.intensity, self.joining, self.camera, self.run_on)
        for part in (*parts, self.copies):
            form.add_across(part)
        for widget in (self.device, self.batch, self.precision, *parts):
            widget.changed.connect(self._on_changed)
        self._show()

    @property
    def batch_size(self) -> str | int:
        """``"auto"`` or the number typed; ValueError where it is none."""
        number = self.batch.typed
        return AUTO if number is None else number

    @property
    def problem(self) -> str:
        """What is wrong with batch, camera's numbers or the place to run at; else empty."""
        return self._batch_problem or self.camera.problem or self.run_on.problem

    @property
    def _batch_problem(self) -> str:
        try:
            number = self.batch.typed
        except ValueError as error:
            return str(error)
        if number is not None and number < 1:
            return f"batch {number} is below 1; use 1 or more"
        if number is not None and number > _LARGEST_BATCH:
            return f"batch {number} is above {_LARGEST_BATCH}; use fewer, or nothing for auto"
        return ""

    def find_devices(self) -> None:
        """Offer what this machine has, once that is known: looking for it loads torch."""
        tell_devices(self.set_devices)

    def expect_device(self, device: str) -> None:
        """Choose a device before it is known what this machine has."""
        offer(self.device, [(AUTO, AUTO), (device_name(device), device)], device)
        self._on_changed()

    def set_devices(self, devices: Sequence[DeviceInfo]) -> None:
        """Offer what this machine has, with its free memory; auto takes the first."""
        chosen = self.device.value
        self._auto_device = devices[0].name if devices else ""
        auto = f"{AUTO} ({device_name(self._auto_device)})" if devices else AUTO
        choices = [(auto, AUTO)]
        gpus = [device for device in devices if device.name.startswith("cuda")]
        for device in devices:
            free = "" if device.free_bytes is None else f" · {bytes_text(device.free_bytes)} free"
            number = f"{device_name(device.name)}: " if len(gpus) > 1 and device in gpus else ""
            choices.append((f"{number}{device.label}{free}", device.name))
        if len(gpus) > 1:
            choices.insert(1 + len(gpus), (f"All {len(gpus)} GPUs", ALL_GPUS))
        known = chosen in [value for _, value in choices]
        offer(self.device, choices, chosen if known else AUTO)
        self._show()
        if not known:
            self.device_missed.emit(str(chosen))
            self.changed.emit()

    def show_review(self, review: PlanReview) -> None:
        """Show what was left to the software came to, and what has no effect."""
        request, plan = review.request, review.plan
        if request.batch_size == AUTO:
            self.batch.set_auto(plan.settings.batch_size)
        if request.normalization == AUTO:
            self.intensity.set_auto(plan.normalization.kind)
        spatial = plan.layout.view_shape[2:]
        self.joining.show_plan(
            plan.blending,
            auto=request.blending == AUTO,
            exact=review.reach is not None,
            one_tile=all(p >= size for p, size in zip(plan.patch_size, spatial, strict=True)),
        )

    def set_area(self, area: str, *, stays_here: bool) -> None:
        """Tell what is to be denoised, and whether this computer does it in any case."""
        self.run_on.set_area(area, stays_here=stays_here)
        self._show()

    def report(self, batch: str, normalization: str, blending: str, camera: str = "") -> None:
        """Show what planning found wrong with these settings; empty: nothing."""
        self._batch_reported = batch
        self.intensity.report(normalization)
        self.joining.report(blending)
        self.camera.report(camera)
        self._show()

    def reset(self) -> None:
        """Leave everything to the software again."""
        self.device.value = AUTO
        self.batch.value = ""
        self.precision.value = _PRECISIONS[0]
        self.intensity.reset()
        self.joining.reset()
        self.camera.reset()
        self.run_on.reset()
        self.copies.say_copied("")

    def _on_changed(self) -> None:
        self._batch_reported = ""
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        batch = self._batch_problem or in_peoples_words(self._batch_reported)
        self.batch_message.say(batch)
        self.set_problem(
            batch
            or self.intensity.message.message
            or self.joining.problem
            or self.camera.message.message
            or self.run_on.problem
        )
        chosen = str(self.device.value)
        device = device_name(self._auto_device or AUTO if chosen == AUTO else chosen)
        typed = str(self.batch.value).strip()
        facts = ["Dask cluster" if self.run_on.is_cluster else device]
        if self.joining.tta != OFF:
            # Before the batch, which is left out where it says nothing: the end may be cut off.
            facts.append(f"flips {self.joining.tta}")
        if self.camera.hot_pixels != KEEP:
            facts.append("hot pixels")
        if typed or len(facts) == 1:
            facts.append(f"batch {typed or AUTO}")
        self.set_summary(", ".join(facts))


def device_name(device: str) -> str:
    """A torch device as people write it: ``"CPU"``, ``"CUDA 0"``, ``"auto"``, ``"all GPUs"``."""
    if device == AUTO:
        return "device auto"
    if device == ALL_GPUS:
        return "all GPUs"
    kind, _, number = device.partition(":")
    return f"{kind.upper()} {number}".strip()


def tell_devices(tell: Callable[[Sequence[DeviceInfo]], object]) -> None:
    """Call ``tell``, in the thread of the window, with what this machine has, once it is known."""
    worker = create_worker(_devices, _start_thread=False)
    worker.returned.connect(tell)
    worker.start()


def _devices() -> list[DeviceInfo]:
    from napari_tessera.models import available_devices

    return list(available_devices())
