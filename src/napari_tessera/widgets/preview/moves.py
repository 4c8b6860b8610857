"""When somebody looks at something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.widgets.canvas import camera_of, size_events

if TYPE_CHECKING:
    from napari.components import ViewerModel

REST_MS = 100
"""How long the view has to rest before a series of moves counts as over, in milliseconds."""

LONGEST_MS = 250
"""In a series of moves without rest, how often one is told of."""


class Moves(QObject):
    """Tells of moves of camera, sliders and canvas: the first at once, of more the last one.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    parent : QObject
        Owner.

    Attributes
    ----------
    moved : Signal()
        Something else is looked at, or may be. Comes in a turn of the event loop of its own, when
        napari is through with the move.
    """

    moved = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._events: tuple[Any, ...] = (
            viewer.dims.events.point,
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
            camera_of(viewer).events.center,
            camera_of(viewer).events.zoom,
            *size_events(viewer),
        )
        self._on = False
        self._again = False
        self._first = _timer(self, 0, self._tell)
        self._rest = _timer(self, REST_MS, self._on_rest)
        self._longest = _timer(self, LONGEST_MS, self._tell)

    def start(self) -> None:
        """Begin to tell."""
        if not self._on:
            self._on = True
            for event in self._events:
                event.connect(self._on_event)

    def stop(self) -> None:
        """Tell no more."""
        if self._on:
            self._on = False
            for event in self._events:
                event.disconnect(self._on_event)
        for timer in (self._first, self._rest, self._longest):
            timer.stop()

    def _on_event(self, event: object = None) -> None:
        if self._rest.isActive():
            self._again = True
            if not self._longest.isActive():
                self._longest.start()
        elif not self._first.isActive():
            self._first.start()
        self._rest.start()

    def _on_rest(self) -> None:
        self._longest.stop()
        if self._again:
            self._tell()

    def _tell(self) -> None:
        self._again = False
        self.moved.emit()


def _timer(parent: QObject, milliseconds: int, slot: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer
