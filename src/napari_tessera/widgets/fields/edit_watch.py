"""Listening to what a Shapes or Labels layer marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_tessera.widgets.strokes import strokes_of

if TYPE_CHECKING:
    from napari.layers import Layer

_TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine", "units")


class EditWatch:
    """Calls back when what a Shapes or Labels layer marks is another than before.

    Parameters
    ----------
    edited : callable
        What to call; takes nothing.
    """

    def __init__(self, edited: Callable[[], None]) -> None:
        self._edited = edited
        self._events: list[tuple[Any, Any]] = []
        self._layer: Any = None
        self._strokes = (0, 0)

    def watch(self, layer: Layer | None) -> None:
        """Listen to this layer and no other."""
        self.release()
        self._layer = layer
        if layer is None:
            return
        self._strokes = strokes_of(self._layer)
        events: Any = layer.events
        slots = {"data": self._on_data, "paint": self._on_paint, "set_data": self._on_drawn}
        slots |= dict.fromkeys(_TRANSFORMS, self._on_placed)
        for name, slot in slots.items():
            emitter = getattr(events, name, None)
            if emitter is not None:
                emitter.connect(slot)
                self._events.append((emitter, slot))

    def release(self) -> None:
        """Listen to no layer any more."""
        for emitter, slot in self._events:
            emitter.disconnect(slot)
        self._events, self._layer = [], None

    def _on_data(self, event: Any = None) -> None:
        # Shapes tell before and after each change.
        if not str(getattr(event, "action", "")).lower().endswith("ing"):
            self._edited()

    def _on_paint(self, event: Any = None) -> None:
        self._strokes = strokes_of(self._layer)
        self._edited()

    def _on_drawn(self, event: Any = None) -> None:
        if strokes_of(self._layer) != self._strokes:
            self._on_paint()

    def _on_placed(self, event: Any = None) -> None:
        self._edited()
