"""What is on display is denoised first, wherever the person looks while a run goes on."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_tessera.widgets.canvas import camera_of, grid_of, size_events
from napari_tessera.widgets.looked_at import LookedAt

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_tessera.widgets.layer_run import LayerRun

PAUSE_MS = 30
"""Least time between two looks at the view while it moves."""


class ViewFollower:
    """Tells a run what is on display: at once when the view moves, and again when it rests.

    It looks at the camera, at all sliders, at 2D and 3D display and the order of axes, at the
    canvas' size and the layer's own transform. None of it takes longer for many tiles: which of
    them lie there is found in the engine's thread.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    parent : QObject, optional
        Owner of its timer.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        self._viewer = viewer
        self._run: LayerRun | None = None
        self._emitters: tuple[Any, ...] = ()
        self._told: LookedAt | None = None
        self._moved = False
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._on_pause)

    def follow(self, run: LayerRun) -> None:
        """Tell a run, from now on and beginning with the view as it is."""
        self.stop()
        self._run = run
        viewer, source = self._viewer, run.source.events
        camera, dims = camera_of(viewer).events, viewer.dims.events
        self._emitters = (
            camera.center,
            camera.zoom,
            dims.point,
            dims.ndisplay,
            dims.order,
            *size_events(viewer),
            grid_of(viewer).events,
            source.scale,
            source.translate,
            source.rotate,
            source.shear,
            source.affine,
        )
        for emitter in self._emitters:
            emitter.connect(self._on_moved)
        self._look()

    def stop(self) -> None:
        """Tell nobody any more, and listen to nothing."""
        self._run = self._told = None
        self._moved = False
        for emitter in self._emitters:
            emitter.disconnect(self._on_moved)
        self._emitters = ()
        # With its parent Qt may have taken the timer away.
        with suppress(RuntimeError):
            self._timer.stop()

    release = stop

    def _on_moved(self, event: object = None) -> None:
        if self._timer.isActive():
            self._moved = True
            return
        self._look()
        # What belongs to the same move, such as the camera after a change of axes, may follow.
        self._moved = True
        self._timer.start()

    def _on_pause(self) -> None:
        if self._moved:
            self._moved = False
            self._look()
            self._timer.start()

    def _look(self) -> None:
        run, viewer = self._run, self._viewer
        if run is None or run.gone or run.source not in viewer.layers or not run.has_its_data:
            return
        view = LookedAt.of(viewer, run.source, run.letters)
        if view != self._told:
            self._told = view
            run.look_at(view)
