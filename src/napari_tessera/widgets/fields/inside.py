"""Which Shapes or Labels layer says where to denoise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.edit_watch import EditWatch
from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.layer_facts import is_ours
from napari_tessera.widgets.run_area import NO_SHAPES

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Layer


class InsideRow(QWidget):
    """Chooser of the viewer's Shapes and Labels layers; where there is none, a button to draw.

    Parameters
    ----------
    layers : napari.components.LayerList
        The viewer's layers.

    Attributes
    ----------
    changed : Signal()
        Another layer was chosen, or the one chosen was edited.
    draw_wanted : Signal()
        *Draw shapes* was clicked.
    """

    changed = Signal()
    draw_wanted = Signal()

    def __init__(self, layers: LayerList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer_list = layers
        self._version = 0
        self.chooser = ComboBox(
            name="inside",
            nullable=False,
            tooltip="Tiles that meet a shape, or a label other than 0, are denoised.\n"
            "Shapes and labels of the plane alone hold for all planes and time points,\n"
            "those drawn in one plane for that plane. Lines count for the tiles they cross.",
        )
        self.chooser.changed.connect(self._on_chosen)
        self.draw_button = PushButton(
            text="Draw shapes", tooltip="Add a Shapes layer over the image, polygons at hand."
        )
        self.draw_button.changed.connect(self._on_draw)
        form = Form(self)
        form.add_row("Inside", narrow(self.chooser.native), self.draw_button.native, stretch=None)
        self.watch = EditWatch(self._on_edited)
        self.destroyed.connect(self.watch.release)
        self.refresh_choices()

    @property
    def value(self) -> Layer | None:
        """The layer chosen; None where there is none."""
        chosen: Layer | None = self.chooser.value
        return chosen

    @value.setter
    def value(self, layer: Layer) -> None:
        self.chooser.value = layer

    @property
    def version(self) -> int:
        """Counts edits of what is chosen."""
        return self._version

    @property
    def problem(self) -> str:
        """Why nothing can be inside; empty where something may be."""
        return "" if self.value is not None else NO_SHAPES

    def refresh_choices(self) -> None:
        """Offer the layers that the viewer has now, by the names that they have."""
        from napari.layers import Labels, Shapes

        before = self.value
        found = [
            layer
            for layer in self._layer_list
            if isinstance(layer, Shapes | Labels) and not is_ours(layer)
        ]
        chosen = before if before in found else None
        if chosen is None and found:
            selected = [layer for layer in found if layer in self._layer_list.selection]
            chosen = (selected or found)[-1]
        offer(self.chooser, [(layer.name, layer) for layer in found], chosen)
        self.chooser.native.setVisible(bool(found))
        self.draw_button.native.setVisible(not found)
        if chosen is not before:
            self._on_chosen()

    def _on_draw(self) -> None:
        self.draw_wanted.emit()

    def _on_chosen(self) -> None:
        self.watch.watch(self.value)
        self._on_edited()

    def _on_edited(self) -> None:
        self._version += 1
        self.changed.emit()
