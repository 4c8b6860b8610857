"""The input in the place of what was made of it, for as long as something is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.compare.related import related_layers

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class Flip(QObject):
    """Shows the inputs of all denoised layers on display, under the same camera and sliders.

    Only the layers' ``visible`` is touched, so that runs and live previews go on beneath; what
    somebody shows or hides meanwhile stays as they left it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Attributes
    ----------
    held_changed : Signal(bool)
        The inputs are on display now, or no longer.
    """

    held_changed = Signal(bool)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._changed: dict[Layer, tuple[bool, bool]] = {}
        """Layers that were shown or hidden, with whether they were shown before, and are now."""
        self._held = False

    @property
    def held(self) -> bool:
        """Whether the inputs are on display."""
        return self._held

    def hold(self) -> None:
        """Show the inputs; nothing happens where nothing made of them is on display."""
        if self._held or not any(found.is_seen for found in related_layers(self._viewer.layers)):
            return
        self._held = True
        events: Any = self._viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        self.held_changed.emit(True)
        self._show_inputs()

    def release(self) -> None:
        """Show again what was on display before."""
        if not self._held:
            return
        self._held = False
        events: Any = self._viewer.layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_removed)
        for layer in list(self._changed):
            self._restore(layer)
        self.held_changed.emit(False)

    def _show_inputs(self) -> None:
        there = [found for found in related_layers(self._viewer.layers) if found.is_seen]
        made = {layer for found in there for layer in found.made}
        for found in there:
            # What was made of an output is made as well.
            if found.source not in made:
                self._set(found.source, True)
        for layer in made:
            self._set(layer, False)

    def _set(self, layer: Layer, visible: bool) -> None:
        if layer.visible != visible:
            before, _ = self._changed.get(layer, (layer.visible, visible))
            layer.visible = visible
            self._changed[layer] = before, visible

    def _restore(self, layer: Layer) -> None:
        before, now = self._changed.pop(layer, (layer.visible, None))
        if layer.visible == now:
            layer.visible = before

    def _on_inserted(self, event: object) -> None:
        # A run's output that begins meanwhile comes to light with the others.
        self._show_inputs()

    def _on_removed(self, event: Any) -> None:
        # Whoever keeps the layer gets it back as it was.
        self._restore(event.value)
        if not any(found.made for found in related_layers(self._viewer.layers)):
            self.release()
