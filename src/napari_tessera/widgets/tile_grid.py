"""The tile grid, drawn over the layer that is denoised."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_tessera.widgets.canvas import camera_of, size_events
from napari_tessera.widgets.fields.layer_facts import shape_of
from napari_tessera.widgets.grid.drawing import Window, draw_grid
from napari_tessera.widgets.grid.grid_layer import (
    PLACE,
    change_layer,
    make_layer,
    mesh_in,
    place_layer,
)
from napari_tessera.widgets.grid.grid_slice import GridSlice
from napari_tessera.widgets.grid.mesh import Mesh
from napari_tessera.widgets.grid.pointer import Pointer
from napari_tessera.widgets.grid.tile_states import TileStates
from napari_tessera.widgets.grid.view_window import still_serves, window_on, with_margin
from napari_tessera.widgets.output_layer import selection_kept
from napari_tessera.widgets.view_region import slice_on_display

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Surface

    from napari_tessera.prediction import PredictionPlan

DRAW_SHARE = 0.2
"""Share of the GUI thread's time that drawing may take."""


class TileGrid:
    """Shows the tiles of a plan in the slice on display, and what has become of each.

    One Surface layer with what is in view: lines of the grid, marks of states, and the outlines
    of the tile under the pointer, of which the status bar tells. It is put on top, never
    selected, follows sliders, camera and the image, and goes with it. In 3D display, where tiles
    would hide each other, nothing is drawn. Belongs to the GUI thread.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    hidden : callable, optional
        Called when the grid is taken away, by whomever.
    """

    def __init__(self, viewer: ViewerModel, hidden: Callable[[], None] | None = None) -> None:
        self._viewer = viewer
        self._hidden = hidden
        self._plan: PredictionPlan | None = None
        self._states = TileStates(0)
        self._input: Image | None = None
        self._letters = ""
        self._slice: GridSlice | None = None
        self._layer: Surface | None = None
        self._drawn: Mesh | None = None
        self._window: Window | None = None
        self._not_before = 0.0
        self._later = QTimer()
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._draw)
        self._pointer = Pointer(viewer, self._on_pointer)
        camera = camera_of(viewer).events
        self._viewer_slots: list[tuple[Any, Callable[..., None]]] = [
            (viewer.dims.events, self._on_dims),
            (camera.zoom, self._on_view),
            (camera.center, self._on_view),
            *((event, self._on_view) for event in size_events(viewer)),
            (viewer.layers.events.removed, self._on_removed),
        ]
        self._input_slots: list[tuple[Any, Callable[..., None]]] = []
        for emitter, slot in self._viewer_slots:
            emitter.connect(slot)

    @property
    def layer(self) -> Surface | None:
        """The layer with the grid; None while there is none."""
        return self._layer

    @property
    def plan(self) -> PredictionPlan | None:
        """The plan whose tiles are shown; None while nothing is shown."""
        return self._plan

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Number of tiles in each state; None while nothing is shown."""
        return None if self._plan is None else self._states.counts

    def show(
        self,
        plan: PredictionPlan,
        layer: Image,
        letters: str,
        states: TileStates | None = None,
    ) -> None:
        """Draw the grid of a plan on a layer, instead of what was drawn before.

        Nothing is shown where the layer has other data by now than what was planned for.

        Parameters
        ----------
        plan : PredictionPlan
            The plan.
        layer : napari.layers.Image
            The input layer.
        letters : str
            Letters of its dimensions.
        states : TileStates, optional
            What has become of its tiles; changes are told with `changed`.
        """
        self._follow_input(layer)
        self._plan, self._letters = plan, letters
        self._states = TileStates.of(plan) if states is None else states
        self._redraw()

    def changed(self, tiles: NDArray[np.int64]) -> None:
        """Draw tiles whose states have changed; those of other slices are seen later.

        Parameters
        ----------
        tiles : numpy.ndarray of int
            Numbers of the tiles.
        """
        if self._slice is None or not len(tiles):
            return
        self._pointer.refresh()
        if self._in_view(tiles):
            self._ask()

    def hide(self) -> None:
        """Take the grid away."""
        was_shown = self._plan is not None
        self._later.stop()
        self._follow_input(None)
        self._plan = self._slice = self._drawn = self._window = None
        self._pointer.forget()
        layer, self._layer = self._layer, None
        if layer is not None:
            layer.events.visible.disconnect(self._on_visible)
            if layer in self._viewer.layers.selection:
                # Whoever removes all layers that are selected has this one on a list.
                QTimer.singleShot(0, partial(_remove, self._viewer, layer))
            else:
                _remove(self._viewer, layer)
        if was_shown and self._hidden is not None:
            self._hidden()

    def disconnect(self) -> None:
        """Take the grid away for good."""
        self.hide()
        self._pointer.close()
        for emitter, slot in self._viewer_slots:
            emitter.disconnect(slot)
        self._viewer_slots = []

    def _follow_input(self, layer: Image | None) -> None:
        for emitter, slot in self._input_slots:
            emitter.disconnect(slot)
        self._input_slots = []
        self._input = layer
        if layer is None:
            return
        self._input_slots = [
            (getattr(layer.events, name), partial(self._on_placed, name)) for name in PLACE
        ]
        self._input_slots.append((layer.events.data, self._on_data))
        for emitter, slot in self._input_slots:
            emitter.connect(slot)

    @property
    def _fits(self) -> bool:
        """Whether the layer has what was planned for."""
        plan, layer = self._plan, self._input
        if plan is None or layer is None or layer not in self._viewer.layers:
            return False
        sizes = dict(zip(plan.layout.axes, plan.layout.shape, strict=True))
        wanted = tuple(sizes[letter] for letter in self._letters)
        return layer.ndim == len(wanted) and shape_of(layer)[: layer.ndim] == wanted

    def _on_data(self, event: object = None) -> None:
        if not self._fits:
            self.hide()

    def _on_placed(self, name: str, event: object = None) -> None:
        if self._layer is None or self._input is None or self._layer.ndim != self._input.ndim:
            return
        place_layer(self._layer, self._input, name)
        self._on_view()

    def _on_dims(self, event: object = None) -> None:
        self._on_view()
        self._pointer.refresh()

    def _on_view(self, event: object = None) -> None:
        if not self._fits:
            return
        # While the order of dimensions changes, the camera moves before they say so.
        found, before = self._slice_on_display(), self._slice
        if _where(found) != _where(before):
            self._slice = found
            self._draw()
        elif found is not None and (
            self._window is None or not still_serves(self._window, self._view())
        ):
            self._ask()

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer and self._layer is not None:
            self._layer.events.visible.disconnect(self._on_visible)
            self._layer = None
            self.hide()
        elif event.value is self._input and self._input is not None:
            self.hide()

    def _on_visible(self, event: object = None) -> None:
        self._pointer.refresh()

    def _on_pointer(self) -> None:
        """Draw the outlines of the tile under the pointer, or draw none any more."""
        if self._layer is not None and self._drawn is not None:
            self._put()

    def _redraw(self) -> None:
        if not self._fits:
            self.hide()
            return
        self._slice = self._slice_on_display()
        self._draw()
        assert self._plan is not None
        assert self._input is not None
        self._pointer.follow(self._plan, self._input, self._letters, self._states, self._is_seen)

    def _is_seen(self) -> bool:
        return self._slice is not None and self._layer is not None and bool(self._layer.visible)

    def _slice_on_display(self) -> GridSlice | None:
        assert self._plan is not None
        assert self._input is not None
        found = slice_on_display(self._viewer, self._input, self._letters)
        if len(found.displayed) != 2 or self._viewer.dims.ndisplay != 2:
            return None
        return GridSlice(self._plan, found.displayed, found.indices)

    def _view(self) -> Window:
        assert self._input is not None
        assert self._slice is not None
        return window_on(self._viewer, self._input, self._letters, self._slice.displayed)

    def _in_view(self, tiles: NDArray[np.int64]) -> bool:
        """Whether any of some tiles is where was drawn last."""
        grid, window = self._slice, self._window
        if grid is None or window is None:
            return False
        places = grid.places(tiles)
        inside = np.ones(len(places), bool)
        for d, axis in enumerate(grid.axes):
            first, last = axis.within(window.low[d], window.high[d])
            inside &= (places[:, d] >= first) & (places[:, d] < last)
        return bool(inside.any())

    def _ask(self) -> None:
        """Draw now, or as soon as drawing has not taken too much of the thread's time."""
        wait = self._not_before - time.monotonic()
        if wait <= 0:
            self._draw()
        elif not self._later.isActive():
            self._later.start(int(1000 * wait) + 1)

    def _draw(self) -> None:
        """Work out what is in view, and show it."""
        if self._plan is None:
            return
        began = time.monotonic()
        self._later.stop()
        self._drawn = self._window = None
        if self._slice is not None:
            self._window = with_margin(self._view())
            self._drawn = draw_grid(self._slice, self._states, self._window)
        self._put()
        now = time.monotonic()
        self._not_before = now + (now - began) / DRAW_SHARE

    def _put(self) -> None:
        """Show what was worked out, and the tile under the pointer, in the layer."""
        assert self._plan is not None
        assert self._input is not None
        mesh, grid = self._drawn, self._slice
        if mesh is not None and grid is not None and self._pointer.tile is not None:
            mesh = mesh.copy()
            self._pointer.tile.outline(mesh, grid.displayed)
        layout = self._plan.layout
        sizes = tuple(layout.shape[layout.axes.index(letter)] for letter in self._letters)
        displayed, indices = (grid.displayed, grid.indices) if grid is not None else ("", {})
        data = mesh_in(mesh, self._letters, displayed, sizes, indices)
        if self._layer is not None:
            change_layer(self._layer, data)
            return
        self._layer = make_layer(self._input, data)
        self._layer.events.visible.connect(self._on_visible)
        with selection_kept(self._viewer):
            self._viewer.layers.append(self._layer)


def _remove(viewer: ViewerModel, layer: Surface) -> None:
    if layer in viewer.layers:
        with selection_kept(viewer):
            viewer.layers.remove(layer)


def _where(grid: GridSlice | None) -> tuple[str, dict[str, int]] | None:
    return None if grid is None else (grid.displayed, dict(grid.indices))
