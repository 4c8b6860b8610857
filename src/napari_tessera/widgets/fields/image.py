"""Which image is denoised, and what its axes are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from magicgui.widgets import ComboBox, LineEdit, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget
from superqt import QElidingLabel, QFlowLayout
from superqt.utils import signals_blocked

from napari_tessera.axes import validate_axes
from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.layer_facts import (
    channels_of,
    guessed_axes,
    is_ours,
    is_unlabelled,
    pixels_of,
    shape_of,
)
from napari_tessera.widgets.fields.layer_watch import LayerWatch
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.text import image_summary
from napari_tessera.widgets.fields.typing_rest import TypingRest

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Image


class ImageField(QWidget):
    """Chooser of image layers; below it their shape, and on demand their axes.

    Follows the layer list: what is selected there is what is denoised. Layers that the plugin
    made itself are neither offered nor followed.

    Parameters
    ----------
    layers : napari.components.LayerList
        The viewer's layers.

    Attributes
    ----------
    changed : Signal()
        Another layer was chosen, or its axes were told.
    sample_wanted : Signal()
        *Try a sample* was clicked.
    watch : LayerWatch
        Listens to the layers chosen.
    """

    changed = Signal()
    sample_wanted = Signal()

    def __init__(self, layers: LayerList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer_list = layers
        self._told: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self.watch = LayerWatch(self._on_chosen)
        self._reported = ""
        self._opened_by_itself = False

        self.chooser = ComboBox(name="image", nullable=False, tooltip="Never changed.")
        self.chooser.changed.connect(self._on_chosen)
        self._empty = QWidget()
        self.sample_button = PushButton(
            text="Try a sample", tooltip="Open a generated image with noise, and its clean version."
        )
        self.sample_button.changed.connect(self._on_sample)
        self._beside_empty = QFlowLayout(self._empty)
        self._beside_empty.setContentsMargins(0, 0, 0, 0)
        self._beside_empty.setHorizontalSpacing(GAP)
        self._beside_empty.setVerticalSpacing(GAP)
        self._beside_empty.addWidget(QLabel("Open one, or"))
        self._beside_empty.addWidget(self.sample_button.native)

        self.summary = QElidingLabel()
        set_property(self.summary, "level", "muted")
        self.axes_button = QToolButton()
        self.axes_button.setText("✎")
        self.axes_button.setCheckable(True)
        self.axes_button.setToolTip("Say which axis is which.")
        self.axes_button.setAccessibleName("Edit axes")
        self.axes_button.toggled.connect(self._on_axes_toggled)
        self._below = QWidget()
        below = QHBoxLayout(self._below)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.summary, 1)
        below.addWidget(self.axes_button)

        self._axes_row = QWidget()
        self.axes_entry = LineEdit(
            name="axes",
            tooltip="One letter per axis, in the image's order:\n"
            "T time, Z depth, C channels, S other samples, Y rows, X columns.",
        )
        self._rest = TypingRest(self)
        self._rest.watch(self._axes_edit)
        self._rest.settled.connect(self._on_axes_typed)
        row = QHBoxLayout(self._axes_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        label = QLabel("Axes")
        label.setBuddy(self._axes_edit)
        self._axes_edit.setAccessibleName("Axes")
        row.addWidget(label)
        row.addWidget(self._axes_edit, 1)
        self.message = Message()

        form = Form(self)
        self._small = QWidget()
        self.beside = QHBoxLayout(self._small)
        """Small buttons right of the chooser."""
        self.beside.setContentsMargins(0, 0, 0, 0)
        self._full = QWidget()
        self._beside_chooser = QHBoxLayout(self._full)
        self._beside_chooser.setContentsMargins(0, 0, 0, 0)
        self._beside_chooser.setSpacing(GAP)
        self._beside_chooser.addWidget(narrow(self.chooser.native), 1)
        self.chooser.native.setAccessibleName("Image")
        label = form.add_row("Image", self._full, self._empty, stretch=None)
        label.setBuddy(self.chooser.native)
        self.making = Message()
        form.add_below(self.making)
        for widget in (self._below, self._axes_row, self.message):
            form.add_below(widget)
        self._axes_row.hide()
        self.refresh_choices()
        self.follow_selection()

    @property
    def _axes_edit(self) -> QLineEdit:
        native: QLineEdit = self.axes_entry.native
        return native

    @property
    def layers(self) -> tuple[Image, ...]:
        """The layers chosen; empty where there is no image."""
        chosen = self.chooser.value
        return () if chosen is None else tuple(chosen)

    @layers.setter
    def layers(self, layers: Iterable[Image]) -> None:
        self._offer(tuple(layers))

    @property
    def axes(self) -> str | None:
        """Axes that the person told for the layers chosen; None where they are guessed."""
        told = {self._told.get(layer) for layer in self.layers}
        return told.pop() if len(told) == 1 else None

    @axes.setter
    def axes(self, axes: str | None) -> None:
        for layer in self.layers:
            if axes is None:
                self._told.pop(layer, None)
            else:
                self._told[layer] = axes
        self._show_image()
        self.changed.emit()

    @property
    def dtype(self) -> str:
        """Type of the pixels; empty where there is no image, or several types."""
        found = {str(pixels_of(layer).dtype) for layer in self.layers}
        return found.pop() if len(found) == 1 else ""

    @property
    def n_channels(self) -> int:
        """Channels that each could have a model of its own; 1 where layers differ."""
        told = self.axes
        found = {channels_of(layer, told or guessed_axes(layer)) for layer in self.layers}
        return found.pop() if len(found) == 1 else 1

    @property
    def letters(self) -> str:
        """Axes of the first layer, as told or guessed; empty where they are not known."""
        layers = self.layers
        return (self.axes or guessed_axes(layers[0])) if layers and not self.problem else ""

    @property
    def problem(self) -> str:
        """Why the axes told cannot be right; empty where they can."""
        layers = self.layers
        if not layers:
            return ""
        axes = self.axes
        if axes is None:
            if any(layer in self._told for layer in layers):
                return "the axes of these layers were told otherwise: denoise them one by one"
            return ""
        for layer in layers:
            try:
                validate_axes(axes, shape_of(layer))
            except ValueError as error:
                return str(error)
        return ""

    @property
    def axes_uncertain(self) -> bool:
        """Whether the axes chosen are a guess, and the image does not say it is right."""
        return self.axes is None and any(is_unlabelled(layer) for layer in self.layers)

    def ask_for_axes(self) -> None:
        """Open the axes field because the answer matters; once, until another image is chosen."""
        if not self._opened_by_itself and not self.axes_button.isHidden():
            self._opened_by_itself = True
            self.axes_button.setChecked(True)

    def report(self, problem: str) -> None:
        """Show what was found wrong with image or axes; empty: nothing."""
        self._reported = problem
        self._show_problem()

    def set_sample_made(self, made: bool) -> None:
        """Let the sample be asked for; False: say that it is being made."""
        self.sample_button.enabled = made
        self.making.say("" if made else "Making the sample…", "muted")

    def refresh_choices(self) -> None:
        """Offer the image layers that the viewer has now."""
        kept = tuple(layer for layer in self.layers if layer in self._layer_list)
        images = self._images()
        self._offer(kept or tuple(images[-1:]))

    def follow_selection(self) -> None:
        """Choose the image layers that are selected in the layer list, if any are."""
        if selected := self.selected:
            self._offer(selected)

    @property
    def selected(self) -> tuple[Image, ...]:
        """The image layers that are selected in the layer list, outputs left out."""
        selection = self._layer_list.selection
        return tuple(layer for layer in self._images() if layer in selection)

    def _images(self) -> list[Image]:
        from napari.layers import Image

        return [
            layer for layer in self._layer_list if isinstance(layer, Image) and not is_ours(layer)
        ]

    def _offer(self, chosen: tuple[Image, ...]) -> None:
        before = self.layers
        choices: list[tuple[str, tuple[Image, ...]]] = [
            (layer.name, (layer,)) for layer in self._images()
        ]
        if len(chosen) > 1:
            choices.append((f"{len(chosen)} layers selected", chosen))
        # A renamed layer is another text to the chooser, which would then choose the first one.
        offer(self.chooser, choices, chosen)
        # Where there is no image the small buttons wrap with the others.
        (self._beside_chooser if choices else self._beside_empty).addWidget(self._small)
        self._full.setVisible(bool(choices))
        self._empty.setVisible(not choices)
        self._show_image()
        if self.layers != before:
            self._on_chosen()

    def _on_chosen(self) -> None:
        self._opened_by_itself = False
        self._reported = ""
        self.axes_button.setChecked(False)
        self.watch.watch(self.layers)
        self._show_image()
        self.changed.emit()

    def _on_sample(self) -> None:
        self.sample_wanted.emit()

    def _on_axes_toggled(self, shown: bool) -> None:
        self._axes_row.setVisible(shown)
        if shown and self.isVisible():
            self._axes_edit.setFocus()

    def _on_axes_typed(self) -> None:
        axes = str(self.axes_entry.value).strip().upper()
        guesses = {guessed_axes(layer) for layer in self.layers}
        for layer in self.layers:
            if axes and guesses != {axes}:
                self._told[layer] = axes
            else:
                self._told.pop(layer, None)
        self._reported = ""
        self._show_image()
        self.changed.emit()

    def _show_image(self) -> None:
        layers = self.layers
        alike = len({len(shape_of(layer)) for layer in layers}) == 1
        self.axes_button.setVisible(alike)
        self._below.setVisible(bool(layers))
        self.summary.setText(self._summary())
        self.summary.setToolTip("\n".join(self._summaries()))
        if not self._axes_edit.hasFocus():
            with signals_blocked(self._axes_edit):
                self._axes_edit.setText(self.axes or (guessed_axes(layers[0]) if alike else ""))
        self._show_problem()

    def _summary(self) -> str:
        found = self._summaries()
        return found[0] if len(set(found)) == 1 else ", ".join(found)

    def _summaries(self) -> list[str]:
        return [self._summary_of(layer) for layer in self.layers]

    def _summary_of(self, layer: Image) -> str:
        shape = shape_of(layer)
        axes = self._told.get(layer) or guessed_axes(layer)
        if len(axes) != len(shape):
            axes = "?" * len(shape)
        return image_summary(axes, shape, str(pixels_of(layer).dtype))

    def _show_problem(self) -> None:
        problem = self.problem or self._reported
        self.message.say(problem)
        set_property(self._axes_edit, "wrong", "true" if self.problem else "false")
