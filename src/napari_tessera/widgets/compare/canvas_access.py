"""What napari's public interface leaves out: the canvas as a widget, and what draws a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

Thing = TypeVar("Thing")


def without_proxy(thing: Thing) -> Thing:
    """Give a viewer or layer itself, where napari handed out a proxy of it.

    napari gives plugins a proxy that makes a new one of each layer at each access: napari's links
    between layers, which are weak references, would be lost at once.
    """
    itself: Thing = getattr(thing, "__wrapped__", thing)
    return itself


class CanvasAccess:
    """The canvas of a window, below napari's public interface.

    napari 0.9 clips no image in 2D display (``experimental_clipping_planes`` is for volumes and
    vectors: measured), has no divider to lay over the canvas, and tells nobody where its canvas
    is. All that is reached past its interface for this is here.

    Parameters
    ----------
    canvas : object
        napari's ``VispyCanvas``.
    """

    def __init__(self, canvas: Any) -> None:
        self._canvas = canvas

    @classmethod
    def of(cls, viewer: ViewerModel) -> CanvasAccess | None:
        """Find the canvas of a viewer; None without a window, or with another napari."""
        window: Any = getattr(without_proxy(viewer), "window", None)
        canvas = getattr(getattr(window, "_qt_viewer", None), "canvas", None)
        known = isinstance(getattr(canvas, "layer_to_visual", None), dict)
        if not known or not isinstance(getattr(canvas, "native", None), QWidget):
            return None
        return cls(canvas)

    @property
    def widget(self) -> QWidget:
        """The widget that is drawn on."""
        widget: QWidget = self._canvas.native
        return widget

    def visuals(self, layer: Layer) -> tuple[Any, ...]:
        """What draws a layer now: vispy visuals, several for a plane larger than a texture."""
        drawn = self._canvas.layer_to_visual.get(without_proxy(layer))
        if drawn is None:
            return ()
        return tuple(getattr(drawn.node, "adopted_children", None) or (drawn.node,))
