"""The tile that the pointer is over, and what the status bar says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.widgets.grid.status_line import StatusLine
from napari_tessera.widgets.grid.tile_at import TileAt
from napari_tessera.widgets.view_region import world_to_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.widgets.grid.tile_states import TileStates


class Pointer:
    """Finds the tile under the pointer when it moves, and tells of it in the status bar.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    moved : callable
        Called when the pointer is over another tile, or over none any more.
    """

    def __init__(self, viewer: ViewerModel, moved: Callable[[], None]) -> None:
        self._viewer = viewer
        self._moved = moved
        self._line = StatusLine(viewer)
        self._tile: TileAt | None = None
        self._plan: PredictionPlan | None = None
        self._layer: Image | None = None
        self._letters = ""
        self._states: TileStates | None = None
        self._is_seen: Callable[[], bool] = bool
        self._slots: list[tuple[Any, Callable[..., None]]] = [
            (viewer.cursor.events.position, self.refresh),
            (viewer.events.mouse_over_canvas, self.refresh),
        ]
        for emitter, slot in self._slots:
            emitter.connect(slot)

    @property
    def tile(self) -> TileAt | None:
        """The tile; None where the pointer is over none."""
        return self._tile

    def follow(
        self,
        plan: PredictionPlan,
        layer: Image,
        letters: str,
        states: TileStates,
        is_seen: Callable[[], bool],
    ) -> None:
        """Look for tiles of a plan on a layer.

        Parameters
        ----------
        plan : PredictionPlan
            The plan.
        layer : napari.layers.Image
            The layer; it has what was planned for.
        letters : str
            Letters of its dimensions.
        states : TileStates
            What has become of the tiles.
        is_seen : callable
            Whether the grid is on display at all.
        """
        self._plan, self._layer, self._letters = plan, layer, letters
        self._states, self._is_seen = states, is_seen
        self.refresh()

    def forget(self) -> None:
        """Look for no tiles any more."""
        self._plan = self._layer = self._states = None
        self.refresh()

    def close(self) -> None:
        """Let go of the viewer."""
        self.forget()
        for emitter, slot in self._slots:
            emitter.disconnect(slot)
        self._slots = []

    def refresh(self, event: object = None) -> None:
        """Look again: pointer, slice or states are other ones."""
        before, self._tile = self._tile, self._find()
        if self._tile is None or self._states is None:
            self._line.say("")
        else:
            self._line.say(self._tile.text(self._states.values))
        if self._tile != before:
            self._moved()

    def _find(self) -> TileAt | None:
        plan, layer = self._plan, self._layer
        if plan is None or layer is None or layer.ndim != len(self._letters):
            return None
        if not self._viewer.mouse_over_canvas or not self._is_seen():
            return None
        cursor = np.asarray(self._viewer.cursor.position, float)
        if len(cursor) < layer.ndim:
            return None
        at = np.round(world_to_layer(self._viewer, layer, cursor))
        sizes = dict(zip(plan.layout.axes, plan.layout.shape, strict=True))
        shape = [sizes[letter] for letter in self._letters]
        if not (np.all(at >= 0) and np.all(at < shape)):
            return None
        return TileAt.of(plan, dict(zip(self._letters, at.astype(int).tolist(), strict=True)))
