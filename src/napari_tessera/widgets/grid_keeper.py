"""Decides which tiles the grid shows: those of the settings, of the run, or of the live preview."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.widgets.grid.tile_states import TileStates
from napari_tessera.widgets.layer_source import layer_letters
from napari_tessera.widgets.tile_grid import TileGrid

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.reports import PlanReview


LOOK_SHARE = 0.2
"""Share of the GUI thread's time that looking at what is followed may take."""


class TileSource(Protocol):
    """Something that has tiles of its own for as long as it goes on: the live preview."""

    @property
    def plan(self) -> PredictionPlan | None:
        """The plan; None where there is none (yet)."""
        ...

    @property
    def source(self) -> Image:
        """The input layer."""
        ...

    @property
    def letters(self) -> str:
        """Letters of its dimensions."""
        ...

    def done(self) -> Iterable[int]:
        """Tiles that are there now; those that were and are not wait again."""
        ...


class GridKeeper(QObject):
    """Shows the grid of the newest settings, with the marks of a run that has the same tiles.

    What has become of the run's tiles is noted whether or not the grid is shown, so that it can
    be shown at any time, failed tiles included.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Attributes
    ----------
    counts_changed : Signal(object)
        Numbers of tiles in each state, in the order of `STATE_NAMES`; None where no grid is shown.
    """

    counts_changed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._grid: TileGrid | None = None
        self._wanted = False
        self._review: PlanReview | None = None
        self._run: LayerRun | None = None
        self._followed: TileSource | None = None
        self._plan: PredictionPlan | None = None
        """Whose tiles are marked: the run's, or those of what is followed."""
        self._states = TileStates(0)
        self._counts: tuple[int, ...] | None = None
        self._not_before = 0.0
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.tick)

    @property
    def grid(self) -> TileGrid | None:
        """The grid; None before it was first wanted."""
        return self._grid

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Number of tiles in each state, as last told with `counts_changed`."""
        return self._counts

    def show(self, visible: bool) -> None:
        """Show the grid, or take it away."""
        if visible and not self._wanted and self._followed is not None:
            # What came of it while nothing was shown is not marked yet.
            self._plan = None
        self._wanted = visible
        self._update()

    def review(self, review: PlanReview | None) -> None:
        """Follow settings; None where there is nothing to show."""
        self._review = review
        self._update()

    def run(self, run: LayerRun) -> None:
        """Follow a run that starts or goes on."""
        self._run, self._review, self._followed = run, None, None
        if run.plan is not None and self._plan is not run.plan:
            self._begin(run.plan, run.schedule.done() if run.schedule is not None else ())
        self._update()

    def follow(self, source: TileSource | None) -> None:
        """Follow what has tiles of its own until something else is followed, or None is given."""
        if source is not self._followed:
            self._followed = source
            self._update()

    def mark(
        self, finished: Iterable[int], running: Iterable[int], failed: Iterable[int] = ()
    ) -> None:
        """Mark tiles of the run, or of what is followed.

        Parameters
        ----------
        finished : iterable of int
            Tiles that are done now, besides those marked before.
        running : iterable of int
            All tiles at work.
        failed : iterable of int
            Tiles that an error ended.
        """
        if self._plan is None:
            return
        changed = self._states.mark(finished, running, failed)
        if self._shows_marks and self._grid is not None:
            self._grid.changed(changed)
        self._tell()

    def tick(self) -> None:
        """Look at what is followed: tiles may have been dropped by it, or the plan changed."""
        source = self._followed
        if source is None or not self._wanted:
            return
        if source.plan is not self._plan:
            self._update()
            return
        began = time.monotonic()
        if began < self._not_before:
            # Many tiles take a while to go through, and the window has more to do.
            self._later.start(math.ceil(1000 * (self._not_before - began)))
            return
        changed = self._states.set_done(source.done())
        if self._grid is not None:
            self._grid.changed(changed)
        self._tell()
        now = time.monotonic()
        self._not_before = now + (now - began) / LOOK_SHARE

    def release(self) -> None:
        """Take the grid away for good."""
        self._run = self._review = self._followed = self._plan = None
        # With this object Qt may have taken the timer away.
        with suppress(RuntimeError):
            self._later.stop()
        grid, self._grid = self._grid, None
        if grid is not None:
            grid.disconnect()

    @property
    def _shows_marks(self) -> bool:
        """Whether the grid that is shown is the one whose tiles are marked."""
        return self._grid is not None and self._plan is not None and self._grid.plan is self._plan

    def _begin(self, plan: PredictionPlan, done: Iterable[int]) -> None:
        self._plan, self._states = plan, TileStates.of(plan, done)

    def _update(self) -> None:
        self._choose()
        self._tell()

    def _choose(self) -> None:
        """Show what is to be shown."""
        followed, run, review = self._followed, self._run, self._review
        if followed is not None:
            if followed.plan is None:
                self._plan = None
                self._hide()
                return
            if followed.plan is not self._plan:
                self._begin(followed.plan, followed.done())
            self._show(followed.plan, followed.source, followed.letters, self._states)
        elif run is not None and run.plan is not None and _same_tiles(run, review):
            if self._plan is not run.plan:
                self._begin(run.plan, run.schedule.done() if run.schedule is not None else ())
            self._show(run.plan, run.source, run.letters, self._states)
        elif review is not None:
            layer = review.request.layers[0]
            letters = layer_letters(layer, review.plan.layout.axes)
            self._show(review.plan, layer, letters, None)
        else:
            self._hide()

    def _show(
        self, plan: PredictionPlan, layer: Image, letters: str, states: TileStates | None
    ) -> None:
        if not self._wanted:
            self._hide()
            return
        if self._grid is None:
            self._grid = TileGrid(self._viewer, self._tell)
        if self._grid.plan is not plan:
            self._grid.show(plan, layer, letters, states)

    def _hide(self) -> None:
        if self._grid is not None:
            self._grid.hide()

    def _tell(self) -> None:
        """Say how many tiles there are in each state, where that is news."""
        grid = self._grid
        counts = None if grid is None or grid.plan is None else grid.counts
        if counts != self._counts:
            self._counts = counts
            self.counts_changed.emit(counts)


def _same_tiles(run: LayerRun, review: PlanReview | None) -> bool:
    """Whether a run has the tiles of the settings, so that its marks are true of them."""
    if review is None:
        return True
    assert run.plan is not None
    return review.request.layers[:1] == (run.source,) and _tiles(review.plan) == _tiles(run.plan)


def _tiles(plan: PredictionPlan) -> tuple[object, ...]:
    return plan.layout, plan.patch_size, plan.overlaps, plan.alignment, plan.inside
