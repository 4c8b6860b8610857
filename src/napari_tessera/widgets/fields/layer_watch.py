"""Listening to a viewer, and to what changes an image under the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from napari_tessera.widgets.canvas import camera_of

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_tessera.widgets.fields.main_key import MainKey


class LayerWatch:
    """Calls back when a layer gets other data, or other names for its axes.

    Parameters
    ----------
    changed : callable
        What to call; takes nothing.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._events: list[Any] = []

    def watch(self, layers: Iterable[Image]) -> None:
        """Listen to these layers and no others."""
        self.release()
        for layer in layers:
            for event in (layer.events.data, layer.events.axis_labels):
                event.connect(self._on_event)
                self._events.append(event)

    def release(self) -> None:
        """Listen to no layer any more."""
        for event in self._events:
            event.disconnect(self._on_event)
        self._events = []

    def _on_event(self, event: object = None) -> None:
        self._changed()


def viewer_slots(
    viewer: Viewer,
    layers: Callable[..., None],
    selection: Callable[..., None],
    view: Callable[..., None],
    theme: Callable[..., None],
) -> list[tuple[Any, Any]]:
    """Events of a viewer, each with what listens to it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    layers, selection, view, theme : callable
        Called with an event when layers come, go, move or are renamed; others are selected; the
        camera or a slider moves; the window gets other colours.
    """
    of_layers: Any = viewer.layers.events
    return [
        (of_layers.inserted, layers),
        (of_layers.removed, layers),
        (of_layers.reordered, layers),
        (of_layers.renamed, layers),
        (viewer.layers.selection.events.changed, selection),
        (camera_of(viewer).events, view),
        (viewer.dims.events, view),
        (viewer.events.theme, theme),
    ]


class Watch(Protocol):
    """Listens to a layer."""

    def release(self) -> None:
        """Listen no more."""
        ...


def let_go(slots: list[tuple[Any, Any]], watches: Iterable[Watch], key: MainKey) -> None:
    """Leave nothing of the dock in the viewer, which may live on without it."""
    for emitter, slot in slots:
        emitter.disconnect(slot)
    for watch in watches:
        watch.release()
    key.release()
