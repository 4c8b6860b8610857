"""States that the tutorial goes through, for the tour in `screenshots.py`."""

from __future__ import annotations

from typing import Any

TILE = (128, 128)
"""Tile size of the tutorial's full run, YX in pixels, so that there are tiles to wait for."""


def stopped(tour: Any) -> None:
    """A run that saves, stopped part of the way."""
    _stop(tour, "cells_denoised")
    tour.shoot("tutorial-stopped")


def resume(tour: Any) -> None:
    """The same image on another day: what was begun is offered."""
    _stop(tour, "cells_begun")
    path = tour.settings.save.path
    tour.anew()
    tour.sample()
    zoom(tour)
    tour.settings.area.value = "Everything"
    tour.settings.save.path = path
    tour.settings.save.set_open(True)
    tour.until(lambda: _shown(tour, "Resume"), "the offer")
    tour.shoot("tutorial-resume")


def zoom(tour: Any) -> None:
    """Look at a part of the sample, as people do."""
    tour.viewer.scene.camera.center = (0, 46, 50)
    tour.viewer.scene.camera.zoom *= 2.2
    tour.spin(0.2)


def _stop(tour: Any, name: str) -> None:
    """Denoise everything into a new store, and stop after some tiles."""
    tour.sample()
    zoom(tour)
    tour.settings.area.value = "Everything"
    tour.settings.tiles.patch_size = TILE
    tour.settings.save.path = tour.work / f"{name}.ome.zarr"
    tour.settings.save.set_open(True)
    tour.ready()
    tour.dock.press_main()
    row = tour.dock.run_row
    tour.until(lambda: row.progress is not None and row.progress.done >= 30, "30 tiles")
    tour.dock.press_main()
    tour.until(lambda: tour.controller.state == "stopped", "the stop")
    tour.spin()


def _shown(tour: Any, name: str) -> bool:
    """Whether a button of the dock is to be seen."""
    return bool(tour.button(name).isVisible())


SCENES = {
    "tutorial-stopped": stopped,
    "tutorial-resume": resume,
}
"""Pictures, and what makes each of them."""
