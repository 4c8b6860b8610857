"""Image, method and length: all that most people choose before they train."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.image import ImageField
from napari_tessera.widgets.fields.layer_facts import is_ours, shape_of
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.training.request import METHOD_NAMES
from napari_tessera.widgets.training.words import about_text, steps_text

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Image

SUPERVISED = "supervised"

LENGTHS = {"Short": 1000, "Normal": 4000, "Long": 16000}
"""Steps of each length."""

_LENGTH_TIP = (
    "How often the model is changed. Longer is better, less and less so:\n"
    "look at the preview, and press Stop and use when it will do."
)

ONE_IMAGE = "training takes one image: choose one of them"
NO_CLEAN = "choose the clean layer, or another method"

_ABOUT = {
    "n2v": "Learns from this image alone. Its noise has to differ from pixel to pixel.",
    "n2v2": "Like Noise2Void, and against the checkerboards that it can leave.",
    SUPERVISED: "Learns from the image and a clean, or second noisy, one of the same place.",
}


class MethodField(QWidget):
    """Chooser of the method; below it what it needs, and for one of them the clean layer.

    Parameters
    ----------
    layers : napari.components.LayerList
        The viewer's layers.

    Attributes
    ----------
    changed : Signal()
        Another method, or another clean layer.
    """

    changed = Signal()

    def __init__(self, layers: LayerList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer_list = layers
        self._image: Image | None = None
        self._reported = ""
        self.chooser = ComboBox(
            name="method",
            choices=[(text, name) for name, text in METHOD_NAMES.items()],
            tooltip="What the model learns from.",
        )
        self.chooser.changed.connect(self._on_chosen)
        self.about = Message()
        self._row = QWidget()
        self.clean = ComboBox(
            name="clean",
            nullable=True,
            tooltip="The same place with little noise, or a second time with other noise.\n"
            "It must have the size of the image.",
        )
        self.clean.changed.connect(self._on_chosen)
        self.message = Message()
        form = Form(self)
        form.add_row("Method", narrow(self.chooser.native))
        form.add_below(self.about)
        inner = Form(self._row)
        inner.add_row("Clean", narrow(self.clean.native))
        form.add_across(self._row)
        form.add_below(self.message)
        self.refresh_choices()

    @property
    def value(self) -> str:
        """One of `METHODS`."""
        return str(self.chooser.value)

    @property
    def target(self) -> Image | None:
        """The clean layer where the method needs one, else None."""
        chosen: Image | None = self.clean.value
        return chosen if self.value == SUPERVISED else None

    @property
    def problem(self) -> str:
        """Why it cannot be trained with, as far as can be told without pixels; else empty."""
        if self.value != SUPERVISED or self._image is None:
            return ""
        target = self.target
        if target is None:
            return NO_CLEAN
        own, other = shape_of(self._image), shape_of(target)
        if own != other:
            return (
                f"{target.name} has {_sizes(other)} pixels and {self._image.name} {_sizes(own)}: "
                "choose a layer of the same place and size"
            )
        return ""

    def set_image(self, image: Image | None) -> None:
        """Say what is trained on: it is not offered as its own clean image."""
        self._image = image
        self.refresh_choices()

    def refresh_choices(self) -> None:
        """Offer the image layers that the viewer has now."""
        from napari.layers import Image

        before = self.clean.value
        found = [
            layer
            for layer in self._layer_list
            if isinstance(layer, Image) and layer is not self._image and not is_ours(layer)
        ]
        chosen = before if before in found else None
        if chosen is None and self._image is not None:
            fitting = [each for each in found if shape_of(each) == shape_of(self._image)]
            named = [each for each in fitting if "clean" in each.name.casefold()]
            chosen = (named or fitting or [None])[0]
        # magicgui's own empty choice would stand first
        offer(self.clean, [("—", None), *((each.name, each) for each in found)], chosen)
        self._show()

    def report(self, problem: str) -> None:
        """Show what was found wrong with the clean image; empty: nothing."""
        self._reported = problem
        self._show()

    def _on_chosen(self) -> None:
        self._reported = ""
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self.about.say(_ABOUT[self.value], "muted")
        self._row.setVisible(self.value == SUPERVISED)
        problem = self.problem or self._reported
        self.message.say(problem)
        set_property(self.clean.native, "wrong", "true" if problem else "false")


class LengthField(QWidget):
    """How many steps, in three sizes; what they take is told once it was measured.

    Attributes
    ----------
    changed : Signal()
        Another length.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._typed: int | None = None
        self.chooser = ComboBox(
            name="length",
            choices=[(f"{name} · {steps_text(steps)}", steps) for name, steps in LENGTHS.items()],
            value=LENGTHS["Normal"],
            tooltip=_LENGTH_TIP,
        )
        self.chooser.changed.connect(self._on_chosen)
        self.note = Message()
        form = Form(self)
        form.add_row("Length", narrow(self.chooser.native))
        form.add_below(self.note)

    @property
    def steps(self) -> int:
        """Steps of the length chosen."""
        return int(self.chooser.value)

    def show_time(self, seconds: Callable[[int], float | None], typed: int | None) -> None:
        """Say what each length takes.

        Parameters
        ----------
        seconds : callable
            Gives the time of a number of steps; None where it was not measured.
        typed : int or None
            Steps that were typed elsewhere and count instead.
        """
        if typed is not None:
            told = [f"{steps_text(typed)}, as typed under Advanced", about_text(seconds(typed))]
        else:
            told = [about_text(seconds(self.steps))]
        self.note.say(", ".join(filter(None, told)), "muted")
        self.chooser.native.setEnabled(typed is None)
        times = {name: about_text(seconds(steps)) for name, steps in LENGTHS.items()}
        lines = [f"{name}: {time}" for name, time in times.items() if time]
        self.chooser.native.setToolTip(plain_tip("\n".join([_LENGTH_TIP, *lines])))

    def _on_chosen(self) -> None:
        self.changed.emit()


def image_problem(image: ImageField) -> str:
    """Why the image chosen cannot be trained on, as far as can be told without pixels."""
    layers = image.layers
    if not layers:
        return "Open an image first"
    if len(layers) > 1:
        return ONE_IMAGE
    return image.problem


def channels_guess(image: ImageField) -> str:
    """What to know where an axis is taken for channels and nothing says that it is one.

    A model of as many channels comes of it, which denoises no single plane later.
    """
    if len(image.layers) != 1 or not image.axes_uncertain or image.n_channels < 2:
        return ""
    return f"Taken for {image.n_channels} channels: if they are planes or times, type Z or T for C"


def _sizes(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
