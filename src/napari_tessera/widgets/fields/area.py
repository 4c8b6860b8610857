"""How much of the image is denoised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_tessera.widgets.drawing import draw_shapes
from napari_tessera.widgets.fields.channels import ChannelsRow
from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.inside import InsideRow
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.inside_layer import NOTHING_DRAWN
from napari_tessera.widgets.request import EVERYTHING, INSIDE, SLICE, VIEW, VOLUME
from napari_tessera.widgets.view_region import slice_on_display

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

_TIP = {
    VIEW: "the part of the slice that is on screen.",
    SLICE: "all of the plane on display.",
    VOLUME: "all planes of the time point on display.",
    EVERYTHING: "all planes, time points and channels.",
    INSIDE: "only tiles that meet a shape or a label, in all planes and time points.",
}


class AreaField(QWidget):
    """Chooser of the area: what is on screen, this slice, this volume, everything, inside shapes.

    Below it the layer that has the shapes, and the channels of an image that has several.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Attributes
    ----------
    changed : Signal()
        Another area was chosen, shapes were edited, or channels picked.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: tuple[Image, ...] = ()
        self._axes = ""
        self.chooser = ComboBox(name="area", choices=[VIEW, SLICE, EVERYTHING, INSIDE], value=VIEW)
        self.chooser.changed.connect(self._on_picked)
        self._picked = VIEW
        """What was asked for last; an image that has no such area is offered another one."""
        self.inside_row = InsideRow(viewer.layers)
        self.inside_row.changed.connect(self._on_inside)
        self.inside_row.draw_wanted.connect(self._draw)
        self.channels_row = ChannelsRow(self._channel_shown)
        self.channels_row.changed.connect(self._on_channels)
        self.message = Message()
        self._reported = ""
        top = QWidget()
        form = Form(top)
        form.add_row("Area", narrow(self.chooser.native))
        self._below = QWidget()
        Form(self._below).add_row("", self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        for widget in (top, self.inside_row, self.channels_row, self._below):
            column.addWidget(widget)
        self.inside_row.hide()
        self._below.hide()
        self._offer()

    @property
    def value(self) -> str:
        """One of the areas offered."""
        return str(self.chooser.value)

    @value.setter
    def value(self, area: str) -> None:
        self.chooser.value = area

    @property
    def inside(self) -> Layer | None:
        """The layer with the shapes or labels, where the area is inside of these."""
        return self.inside_row.value if self.value == INSIDE else None

    @property
    def inside_version(self) -> int:
        """Counts edits of that layer; 0 where there is none."""
        return self.inside_row.version if self.inside is not None else 0

    @property
    def channels(self) -> tuple[int, ...] | None:
        """The channels chosen; None for all. ValueError where they cannot be read."""
        return self.channels_row.value

    @property
    def problem(self) -> str:
        """Why this cannot be an area; empty where it can."""
        without = self.inside_row.problem if self.value == INSIDE else ""
        return without or self.channels_row.problem

    def show_image(self, layers: Sequence[Image], axes: str, n_channels: int) -> None:
        """Offer what images have.

        Parameters
        ----------
        layers : sequence of napari.layers.Image
            The images.
        axes : str
            Axes of the first; empty where they are not known.
        n_channels : int
            Number of channels; 1 where images differ.
        """
        self._layers, self._axes = tuple(layers), axes
        self.channels_row.set_count(n_channels)
        self._offer()

    def refresh_choices(self) -> None:
        """Offer the Shapes and Labels layers that the viewer has now."""
        self.inside_row.refresh_choices()
        self._show_problem()

    def view_moved(self) -> None:
        """Take in that another channel may be on display."""
        if self.channels_row.follows_view:
            self.changed.emit()

    def reset(self) -> None:
        """Take what is on screen, with all channels."""
        self.value = VIEW
        self.channels_row.reset()

    def report(self, problem: str) -> None:
        """Show why this area cannot be denoised; empty: it can."""
        self._reported = problem
        self._show_problem()

    def _offer(self) -> None:
        # of a single plane the slice is everything
        is_plane = bool(self._layers) and all(layer.ndim == 2 for layer in self._layers)
        slices = [] if is_plane else [SLICE]
        areas = [VIEW, *slices, *([VOLUME] if "Z" in self._axes else []), EVERYTHING, INSIDE]
        before = self.value
        if areas != list(self.chooser.choices):
            fitting = (area for area in (self._picked, SLICE, EVERYTHING) if area in areas)
            offer(self.chooser, [(a, a) for a in areas], next(fitting))
        self.chooser.tooltip = "\n".join(f"{area}: {_TIP[area]}" for area in areas)
        if self.value != before:
            self._on_chosen()

    def _on_picked(self) -> None:
        self._picked = self.value
        self._on_chosen()

    def _on_chosen(self) -> None:
        self.inside_row.setVisible(self.value == INSIDE)
        self.report("")
        self.changed.emit()

    def _on_inside(self) -> None:
        if self.value == INSIDE:
            self.report("")
            self.changed.emit()

    def _on_channels(self) -> None:
        self.report("")
        self.changed.emit()

    def _show_problem(self) -> None:
        without = self.inside_row.problem if self.value == INSIDE else ""
        problem = without or self.channels_row.problem or self._reported
        # That nothing is marked yet is no mistake.
        unmarked = problem == self._reported and NOTHING_DRAWN in problem
        said = "Draw around what is to be denoised" if unmarked else problem
        self.message.say(said, "muted" if without or unmarked else "error")
        self._below.setVisible(bool(problem))
        wrong = problem == self._reported and bool(problem) and not unmarked
        set_property(self.chooser.native, "wrong", "true" if wrong else "false")

    def _draw(self) -> None:
        self.inside_row.value = draw_shapes(self._viewer, self._layers[0] if self._layers else None)

    def _channel_shown(self) -> int | None:
        layer = self._layers[0] if self._layers else None
        if layer is None or layer.rgb or len(self._axes) != layer.ndim:
            return None
        return slice_on_display(self._viewer, layer, self._axes).indices.get("C")
