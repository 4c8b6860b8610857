"""Looks at what the engine has done, a few times a second, and passes it on."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.prediction import Progress
from napari_tessera.widgets.grid_keeper import GridKeeper
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.live_layer import LOOK
from napari_tessera.widgets.progress_box import progress_report
from napari_tessera.widgets.run_messages import notice_lines
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.speed import SpeedBook, estimate_text
from napari_tessera.widgets.view_follower import ViewFollower
from napari_tessera.widgets.worker import JobWorker

LOOK_MS = round(1000 * LOOK)
"""How often the GUI looks at what the engine has done, in milliseconds."""

FIRST_LOOK_MS = 15
"""The same while no tile is there yet: the first one is to be seen at once."""


class RunWatch(QObject):
    """Brings live layer and grid up to date with the run at hand, and tells how far it is.

    Parameters
    ----------
    follower : ViewFollower
        Tells the run what is on display.
    grid : GridKeeper
        The tile grid.
    speed : SpeedBook
        Where times of tiles are noted.
    parent : QObject
        Owner.

    Attributes
    ----------
    progress_changed, checks_changed, estimate_changed, warned : Signal
        As in `RunController`.
    data_replaced : Signal(object)
        The run at hand, whose layer shows other data by now.
    """

    progress_changed = Signal(object)
    checks_changed = Signal(object)
    estimate_changed = Signal(str)
    warned = Signal(str)
    data_replaced = Signal(object)

    def __init__(
        self, follower: ViewFollower, grid: GridKeeper, speed: SpeedBook, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._follower = follower
        self._grid = grid
        self._speed = speed
        self._runs = RunQueue()
        self._worker: JobWorker | None = None
        self._only_progress = False
        self._notices: tuple[str, ...] = ()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)

    def begin(self, runs: RunQueue, worker: JobWorker, *, only_progress: bool) -> None:
        """Watch the current run.

        Parameters
        ----------
        runs : RunQueue
            The runs.
        worker : JobWorker
            What runs the current one.
        only_progress : bool
            Whether readings and estimate are those of something else.
        """
        self._runs, self._worker, self._only_progress = runs, worker, only_progress
        self._notices = ()
        if runs.current is not None:
            self._follower.follow(runs.current)
        self._timer.start(FIRST_LOOK_MS)

    def stop(self) -> None:
        """Look no more."""
        self._follower.stop()
        self._timer.stop()
        self._worker = None

    def finish(self, run: LayerRun) -> None:
        """Look a last time, now that the engine is through with a run."""
        self.stop()
        self._look()
        assert run.live is not None
        run.live.finish()
        self._grid.mark((), ())

    def _look(self) -> None:
        run = self._runs.current
        if run is None or run.live is None or run.gone:
            return
        if self._worker is not None and self._worker.abort_requested:
            self.stop()
            return
        if not run.has_its_data:
            self.data_replaced.emit(run)
        latest, finished = run.progress.take()
        if finished and self._timer.isActive() and self._timer.interval() != LOOK_MS:
            self._timer.start(LOOK_MS)
        run.live.mark(finished)
        if run.progress.take_news():
            run.live.mark_news()
        run.live.tick()
        if latest is None:
            self._grid.tick()
            return
        self._grid.mark(finished, latest.running, latest.failed)
        report = progress_report(run, latest, self._runs.number, len(self._runs))
        self.progress_changed.emit(report)
        for line in notice_lines(run, latest.notices[len(self._notices) :]):
            self.warned.emit(line)
        self._notices = latest.notices
        if not finished or run.plan is None or run.model is None:
            return
        self._note_speed(run, latest)
        if self._only_progress:
            return
        self.checks_changed.emit(run.checks.readings())
        if len(self._runs) == 1:
            known = self._speed.seconds_per_tile(run.plan, run.model, run.request.cluster)
            asked = run.request
            text = estimate_text([(run.plan, known)], asked.area, asked.made_channels)
            self.estimate_changed.emit(text)

    def _note_speed(self, run: LayerRun, latest: Progress) -> None:
        """Note how long tiles take; the first ones count only where a run had no others."""
        assert run.plan is not None
        assert run.model is not None
        cluster = run.request.cluster
        if latest.measured_tiles:
            tiles, seconds = latest.measured_tiles, latest.measured_seconds
            self._speed.note(run.plan, run.model, tiles, seconds, cluster)
        elif latest.done == latest.total and latest.pixels:
            known = self._speed.seconds_per_tile(run.plan, run.model, cluster)
            if known is None and run.known is None:
                tiles = latest.done - run.done_before
                self._speed.note(run.plan, run.model, tiles, latest.seconds, cluster)
