"""Shapes of a colour, counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.grid.look import LOOKS
from napari_tessera.widgets.grid.tile_states import DONE, RUNNING, SKIPPED

STROKES = {DONE: 2, RUNNING: 4, SKIPPED: 3}


def quads_of(colours: NDArray[np.floating[Any]], colour: tuple[float, float, float]) -> int:
    """Number of shapes of a colour, whatever their opacity, of the colours of all."""
    return int(np.isclose(colours[:, :3], colour, atol=1e-3).all(axis=1).sum())


def marked(layer: Any, state: int) -> int:
    """Number of tiles that a layer marks as being in a state, where each has its own mark."""
    look = LOOKS[state]
    colours = np.asarray(layer.vertex_colors)[::4]
    same = np.isclose(colours[:, :3], look.colour, atol=1e-3).all(axis=1)
    # What is laid over tiles is less opaque than their marks.
    strong = colours[:, 3] > 0.5
    return int((same & strong).sum()) // len(look.strokes)
