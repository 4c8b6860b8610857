"""What napari's public interface leaves out: how many strokes of a Labels layer can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer

UNDO, REDO = "_undo_history", "_redo_history"
"""Where napari 0.9 keeps strokes; undo and redo change both, and no event tells of either."""


def strokes_of(layer: Layer | None) -> tuple[int, int]:
    """How many strokes can be taken back, and how many done again.

    Parameters
    ----------
    layer : napari.layers.Layer or None
        Without such a history, as Shapes are, there are none.
    """
    kept: tuple[Any, Any] = getattr(layer, UNDO, ()), getattr(layer, REDO, ())
    return len(kept[0]), len(kept[1])
