"""Decides which tiles the grid shows: those of the settings, or of the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_tessera.widgets.layer_source import layer_letters
from napari_tessera.widgets.tile_grid import TileGrid

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.reports import PlanReview


class GridKeeper:
    """Shows the grid of the newest settings, with the marks of a run that has the same tiles.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._grid: TileGrid | None = None
        self._wanted = False
        self._review: PlanReview | None = None
        self._run: LayerRun | None = None

    @property
    def grid(self) -> TileGrid | None:
        """The grid; None before it was first wanted."""
        return self._grid

    def show(self, visible: bool) -> None:
        """Show the grid, or take it away."""
        self._wanted = visible
        self._update()

    def review(self, review: PlanReview | None) -> None:
        """Follow settings; None where there is nothing to show."""
        self._review = review
        self._update()

    def run(self, run: LayerRun) -> None:
        """Follow a run that starts or goes on."""
        self._run, self._review = run, None
        self._update()

    def mark(self, finished: Iterable[int], running: Iterable[int]) -> None:
        """Mark tiles of the run."""
        if self._shows_run and self._grid is not None:
            self._grid.mark(finished, running)

    def tick(self) -> None:
        """Draw marks that had to wait."""
        if self._grid is not None:
            self._grid.tick()

    def release(self) -> None:
        """Take the grid away for good."""
        self._run = self._review = None
        grid, self._grid = self._grid, None
        if grid is not None:
            grid.disconnect()

    @property
    def _shows_run(self) -> bool:
        return (
            self._run is not None
            and self._grid is not None
            and self._grid.plan is not None
            and self._grid.plan is self._run.plan
        )

    def _update(self) -> None:
        run, review = self._run, self._review
        if not self._wanted or (review is None and run is None):
            if self._grid is not None:
                self._grid.hide()
            return
        if self._grid is None:
            self._grid = TileGrid(self._viewer)
        if run is not None and run.plan is not None and _same_tiles(run, review):
            done = run.schedule.done() if run.schedule is not None else ()
            if self._grid.plan is not run.plan:
                self._grid.show(run.plan, run.source, run.letters, done)
        elif review is not None:
            layer = review.request.layers[0]
            letters = layer_letters(layer, review.plan.layout.axes)
            self._grid.show(review.plan, layer, letters)
        else:
            self._grid.hide()


def _same_tiles(run: LayerRun, review: PlanReview | None) -> bool:
    """Whether a run has the tiles of the settings, so that its marks are true of them."""
    if review is None:
        return True
    assert run.plan is not None
    return review.request.layers[:1] == (run.source,) and _tiles(review.plan) == _tiles(run.plan)


def _tiles(plan: PredictionPlan) -> tuple[object, ...]:
    return plan.layout, plan.patch_size, plan.overlaps, plan.alignment
