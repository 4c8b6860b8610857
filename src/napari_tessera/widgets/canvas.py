"""Camera, grid and size of the canvas: napari 0.9 moved them, and two versions before it count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel


def camera_of(viewer: ViewerModel) -> Any:
    """The camera: of the viewer's scene, of the viewer itself before napari 0.9."""
    scene = getattr(viewer, "scene", None)
    # asking a newer viewer itself is deprecated
    return viewer.camera if scene is None else scene.camera


def grid_of(viewer: ViewerModel) -> Any:
    """The grid that layers are spread over: of the canvas, of the viewer before napari 0.9."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.grid if canvas is None else canvas.grid


def viewbox_size(viewer: ViewerModel) -> tuple[float, float]:
    """Height and width, in canvas pixels, of what shows one layer or all of them."""
    canvas = getattr(viewer, "canvas", None)
    # the older one has no public name for it
    size = viewer._get_viewbox_size() if canvas is None else canvas.viewbox_size(viewer.layers)
    height, width = map(float, size)
    return height, width


def size_events(viewer: ViewerModel) -> tuple[Any, ...]:
    """What tells that the canvas has another size: nothing before napari 0.9.

    There the window's new size counts from the next move of camera or slider on.
    """
    canvas = getattr(viewer, "canvas", None)
    return () if canvas is None else (canvas.events.size,)
