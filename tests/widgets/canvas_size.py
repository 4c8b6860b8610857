"""The canvas of a viewer, with or without a window, in each napari that is allowed."""

from __future__ import annotations

from typing import Any


def resize_canvas(viewer: Any, height: int, width: int) -> None:
    """Give a viewer's model of its canvas another size, in pixels."""
    if hasattr(viewer, "canvas"):
        viewer.canvas.size = (height, width)
    else:
        viewer._canvas_size = (height, width)


def canvas_events(viewer: Any) -> tuple[Any, ...]:
    """Emitters of the canvas: none before napari 0.9."""
    return (viewer.canvas.events,) if hasattr(viewer, "canvas") else ()
