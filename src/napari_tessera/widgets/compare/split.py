"""The input left of a line on the canvas, what was made of it on the right."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.canvas import grid_of
from napari_tessera.widgets.compare.canvas_access import CanvasAccess
from napari_tessera.widgets.compare.divider import Divider
from napari_tessera.widgets.compare.related import Related, kind_text, related_layers
from napari_tessera.widgets.compare.side_filter import LEFT, RIGHT, SideFilter

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

NO_CANVAS = "This version of napari has no canvas that can be divided"
NOTHING = "Nothing is denoised yet"
IN_GRID = "napari's grid view is on: turn it off first"

_FAR = 1e9


class Split(QObject):
    """Divides the canvas while it is on.

    Nothing is copied: the graphics card leaves out one side of each layer. So it works with any
    data, transform, level and slider, in 2D and 3D display, and while the layers fill. Layers that
    are neither input nor made of one are drawn as always.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Attributes
    ----------
    changed : Signal()
        It was turned on or off, or what keeps it from being turned on is another.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._divider: Divider | None = None
        self._canvas: CanvasAccess | None = None
        self._suspended = False
        self._attached: dict[Any, SideFilter] = {}
        """Filter of each visual that is drawn on one side only."""
        self._watched: list[Layer] = []
        self._brought: list[Layer] = []
        """Layers that were hidden before."""
        layers: Any = viewer.layers.events
        # Last: after napari has made what draws the layer.
        layers.inserted.connect(self._on_layers, position="last")
        layers.removed.connect(self._on_layers, position="last")
        grid_of(viewer).events.enabled.connect(self._on_layers)

    @property
    def on(self) -> bool:
        """Whether the canvas is divided."""
        return self._divider is not None

    @property
    def reason(self) -> str:
        """Why the canvas cannot be divided now; empty where it can."""
        if CanvasAccess.of(self._viewer) is None:
            return NO_CANVAS
        if not related_layers(self._viewer.layers):
            return NOTHING
        return IN_GRID if grid_of(self._viewer).enabled else ""

    def start(self) -> None:
        """Divide the canvas; nothing happens where that cannot be."""
        self._canvas = CanvasAccess.of(self._viewer)
        if self.on or self.reason or self._canvas is None:
            return
        self._divider = Divider(self._canvas.widget)
        self._divider.moved.connect(self._move)
        for found in related_layers(self._viewer.layers):
            self._bring(found)
        self._divide()
        self._divider.show()
        self.changed.emit()

    def end(self) -> None:
        """Show the whole canvas again, with the layers that were on display."""
        if self._divider is None:
            return
        with suppress(RuntimeError):  # the canvas is gone where the window is closed
            self._divider.take_away()
        self._divider = None
        self._suspended = False
        self._watch(())
        for visual, kept in self._attached.items():
            visual.detach(kept)
            visual.update()
        self._attached = {}
        for layer in self._brought:
            layer.visible = False
        self._brought = []
        self.changed.emit()

    def suspend(self, suspended: bool) -> None:
        """Show all layers whole for the time being, or divided again."""
        if self._divider is None or suspended == self._suspended:
            return
        self._suspended = suspended
        self._divider.setVisible(not suspended)
        self._move()

    def close(self) -> None:
        """End it, and listen to the viewer no more."""
        self.end()
        layers: Any = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, grid_of(self._viewer).events.enabled):
            event.disconnect(self._on_layers)

    def _bring(self, found: Related) -> None:
        """Show an input, and its output where nothing made of it is on display."""
        wanted: list[Layer] = [found.source]
        if not found.is_seen:
            wanted.extend(found.made[:1])
        for layer in wanted:
            if not layer.visible:
                layer.visible = True
                self._brought.append(layer)

    def _on_layers(self, event: object = None) -> None:
        if self.on:
            if self.reason:
                self.end()
                return
            there = self._viewer.layers
            self._brought = [layer for layer in self._brought if layer in there]
            self._divide()
        self.changed.emit()

    def _divide(self, event: object = None) -> None:
        """Let every visual of the layers at hand be drawn on its side, and no others."""
        if self._canvas is None or self._divider is None:
            return
        found = related_layers(self._viewer.layers)
        sides: dict[Layer, float] = {}
        for one in found:
            # What was made of an output counts as made, wherever it is an input as well.
            sides.setdefault(one.source, LEFT)
            sides.update(dict.fromkeys(one.made, RIGHT))
        self._watch(sides)
        wanted = {
            visual: side for layer, side in sides.items() for visual in self._canvas.visuals(layer)
        }
        for visual in set(self._attached) - set(wanted):
            visual.detach(self._attached.pop(visual))
        for visual, side in wanted.items():
            if visual not in self._attached:
                self._attached[visual] = SideFilter(side)
                visual.attach(self._attached[visual])
        self._name_sides()
        self._move()

    def _move(self) -> None:
        if self._divider is None:
            return
        edge = self._divider.edge
        for visual, kept in self._attached.items():
            kept.move(kept.side * -_FAR if self._suspended else edge)
            visual.update()

    def _name_sides(self, event: object = None) -> None:
        if self._divider is None:
            return
        made = {layer for found in related_layers(self._viewer.layers) for layer in found.made}
        seen = [layer for layer in self._viewer.layers if layer in made and layer.visible]
        self._divider.say("input", kind_text(seen[-1]) if seen else "nothing shown")

    def _watch(self, layers: Any) -> None:
        """Listen to what gives these layers other visuals, and shows or hides them."""
        wanted = list(layers)
        if wanted == self._watched:
            return
        for layer in self._watched:
            layer.events.set_data.disconnect(self._on_drawn)
            layer.events.visible.disconnect(self._name_sides)
        for layer in wanted:
            layer.events.set_data.connect(self._on_drawn, position="last")
            layer.events.visible.connect(self._name_sides)
        self._watched = wanted

    def _on_drawn(self, event: object = None) -> None:
        """Look whether a layer has other visuals: in 3D display, or with a larger plane."""
        if self._canvas is None:
            return
        drawn = {visual for layer in self._watched for visual in self._canvas.visuals(layer)}
        if drawn != set(self._attached):
            self._divide()
