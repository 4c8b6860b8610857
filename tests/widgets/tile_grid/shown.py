"""A tile grid on a layer of a viewer without a window, and a pointer."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from tests.widgets.grid.counting import marked, quads_of

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.grid.tile_states import TileStates
from napari_tessera.widgets.tile_grid import TileGrid

WHITE = (1.0, 1.0, 1.0)


class Shown:
    """A grid of a plan's tiles, and their states."""

    def __init__(
        self, viewer: Any, plan: PredictionPlan, layer: Any, letters: str, done: Any = ()
    ) -> None:
        self.plan, self.source, self.letters = plan, layer, letters
        self.states = TileStates.of(plan, done)
        self.grid = TileGrid(viewer)
        self.again()

    def again(self) -> None:
        self.grid.show(self.plan, self.source, self.letters, self.states)

    def mark(self, finished: Any = (), running: Any = (), failed: Any = ()) -> None:
        self.grid.changed(self.states.mark(finished, running, failed))

    def marked(self, *kinds: int) -> tuple[int, ...]:
        return tuple(marked(self.grid.layer, kind) for kind in kinds)

    def shapes(self, colour: tuple[float, float, float]) -> int:
        assert self.grid.layer is not None
        return quads_of(np.asarray(self.grid.layer.vertex_colors)[::4], colour)


def said(viewer: ViewerModel) -> str:
    """What the status bar shows, of a layer's value with what stands behind it."""
    status = viewer.status
    return status if isinstance(status, str) else status["coordinates"]


def point_at(viewer: ViewerModel, *position: float) -> None:
    viewer.mouse_over_canvas = True
    viewer.cursor.position = position
