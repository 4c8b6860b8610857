"""Runs what the dock asks for, and says how it goes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject

from napari_tessera.prediction import PlanError
from napari_tessera.widgets import run_stages
from napari_tessera.widgets.grid_keeper import GridKeeper
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.leash import Leash
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.outputs import Outputs
from napari_tessera.widgets.progress_box import writing_report
from napari_tessera.widgets.reports import FieldProblem
from napari_tessera.widgets.request import TILE, RunRequest
from napari_tessera.widgets.results import Results, show
from napari_tessera.widgets.reviewer import Reviewer, ReviewResult, problem_of
from napari_tessera.widgets.run_messages import (
    describe_failure,
    describe_unwritten,
    plan_review,
    plan_warnings,
    result_warnings,
)
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.run_signals import RunSignals
from napari_tessera.widgets.run_stages import RunStages
from napari_tessera.widgets.run_state import (
    DONE,
    FAILED,
    IDLE,
    PLANNING,
    PREVIEW,
    RESTING,
    RUNNING,
    STOPPED,
    STOPPING,
    WRITING,
    RunState,
)
from napari_tessera.widgets.run_watch import RunWatch
from napari_tessera.widgets.speed import SpeedBook
from napari_tessera.widgets.view_follower import ViewFollower
from napari_tessera.widgets.worker import JobWorker

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_tessera.writing import ImageRegionData


class RunController(RunSignals):
    """Plans and runs in threads, keeps the output layers, and tells the dock how it goes.

    All methods and signals belong to the GUI thread, and none of them waits.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the input layers are and the output layers go.
    parent : QObject, optional
        Owner; the run is stopped when it is destroyed.
    models : ModelCache, optional
        Models that others have loaded, or will want.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        parent: QObject | None = None,
        models: ModelCache | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._state = RunState(self._on_state)
        self._request: RunRequest | None = None
        self._stop_wanted = False
        self._cache = models or ModelCache()
        self.speed = SpeedBook()
        """Measured times of tiles."""
        self._outputs = Outputs(viewer)
        self.results = Results(viewer)
        """The layers that show what the last run made."""
        self._runs = self.results.runs
        self.grid = GridKeeper(viewer)
        """The tile grid."""
        self._reviewer = Reviewer(viewer, self._cache, self.speed, self)
        self._reviewer.reviewed.connect(self._on_reviewed)
        self._reviewer.measured.connect(self.review_changed)
        self._stages = RunStages(viewer, self._cache, self._outputs, self)
        for name in ("entered", "planned", "shown", "halted", "over"):
            getattr(self._stages, name).connect(getattr(self, f"_on_{name}"))
        follower = ViewFollower(viewer, self)
        self._watch = RunWatch(follower, self.grid, self.speed, self)
        self._watch.data_replaced.connect(self._on_data_replaced)
        for name in ("progress_changed", "checks_changed", "estimate_changed", "warned"):
            getattr(self._watch, name).connect(getattr(self, name))
        self._leash = Leash(self.grid, follower)
        # Qt may destroy this object when Python's garbage collector has already emptied what is
        # garbage with it, slots included: the leash has to outlive it, and nothing else may.
        weakref.finalize(self, self._leash.let_go).atexit = False
        self.destroyed.connect(self._leash.let_go)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return self._state.now

    @property
    def busy(self) -> bool:
        """Whether a run is going on."""
        return self._state.busy

    @property
    def runs(self) -> RunQueue:
        """The runs at hand, or those of the last request."""
        return self._runs

    @property
    def request(self) -> RunRequest | None:
        """Request of the last run; None before the first."""
        return self._request

    @property
    def can_resume(self) -> bool:
        """Whether `resume` would go on: stopped, the layers still there, the data the same."""
        run = self._runs.current
        goes_on = run is not None and not run.gone and self._runs.current_has_its_data
        return self.state == STOPPED and goes_on

    @property
    def takes_more(self) -> bool:
        """Whether `enqueue` would take another request."""
        going_on = self.state in (PLANNING, RUNNING, WRITING) and not self._state.beside
        # a tile that is tried lies where the person clicked in its own image
        return going_on and self._request is not None and self._request.area != TILE

    def review(self, request: RunRequest | None) -> None:
        """Look at settings in the background: tiles, estimate, problems; the grid follows.

        Only the newest request counts. None clears everything (no image chosen).
        """
        self.review_changed.emit(None)
        self._reviewer.review(request)
        if request is None:
            self.problem_changed.emit(None)
            self.estimate_changed.emit("")
            self.grid.review(None)

    def outdate_review(self) -> None:
        """Drop what is still being found of settings that have changed since."""
        self._reviewer.outdate()

    def start(
        self,
        request: RunRequest,
        known: Callable[[LayerRun], Mapping[int, ImageRegionData]] | None = None,
    ) -> None:
        """Denoise; does nothing while a run is going on. A live preview ends.

        Parameters
        ----------
        request : RunRequest
            What to denoise.
        known : callable, optional
            Gives of a planned run the cores of tiles, by number, that were predicted with the very
            same settings: they are taken as they are.
        """
        if self._state.busy or self.refuses():
            return
        try:
            runs = RunQueue.of(self._viewer, request, self._reviewer.origins)
        except PlanError as error:
            self.problem_changed.emit(problem_of(error))
            return
        self.problem_changed.emit(None)
        self._request = request
        self.kept_changed.emit("")
        self._state.take_over()
        self.results.begin(runs)
        self._take(runs)
        for run in runs:
            run.known = known
        self._plan_next()

    def enqueue(self, request: RunRequest) -> bool:
        """Denoise once what goes on now is through; False where nothing goes on, or it stops."""
        if not self.takes_more:
            return False
        try:
            more = RunQueue.of(self._viewer, request, self._reviewer.origins)
        except PlanError as error:
            self.warned.emit(str(error))
            return False
        self._runs.extend(more)
        self._leash.hold([run.cancel for run in self._runs])
        return True

    def begin_preview(self) -> bool:
        """Let a live preview go on instead of runs; False where a run is going on."""
        if self._state.busy or self.refuses():
            return False
        if self.state != PREVIEW:
            self._state.begin_beside()
            run = self._runs.current
            if self._state.resting == STOPPED and run is not None and run.is_preview:
                # The preview shows itself in that run's layer.
                run.gone = True
                self._state.replace_before(IDLE)
            self._reviewer.review(None)
            self._state.to(PREVIEW)
        return True

    def end_preview(self) -> None:
        """Rest as before the live preview."""
        if self.state == PREVIEW:
            self._state.to(self._state.resting)

    def stop(self) -> None:
        """End the run after the batch at work; what is done stays."""
        if self.state in (PLANNING, RUNNING, WRITING) and self._runs.current is not None:
            self._stop_wanted = True
            self._runs.current.cancel.set()
            self._state.to(STOPPING)

    def shut_down(self) -> None:
        """Stop, and let go of the viewer; the controller is of no use afterwards."""
        self.stop()
        self.review(None)
        self._leash.let_go()
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)

    def resume(self) -> None:
        """Go on with the stopped run: the same plan, the tiles that are missing."""
        run = self._runs.current
        if not self.can_resume or run is None or self.refuses():
            return
        self._stop_wanted = False
        self.kept_changed.emit("")
        self._stages.go_on(run)

    def show_grid(self, visible: bool) -> None:
        """Show the tile grid of the settings last reviewed, or take it away."""
        self.grid.show(visible)

    def show_removed_noise(self) -> None:
        """Add (or bring back) the removed-noise layers of the last run's outputs."""
        for problem in self.results.show_removed_noise():
            self.warned.emit(problem)

    def show_disagreement(self) -> None:
        """Make (or bring back) the flip disagreement of what is in view, beside the last run.

        The last run can go on afterwards where it could before.
        """
        last = self._request
        if self.state not in RESTING or last is None or self.refuses():
            return
        try:
            runs = self.results.disagreement_runs(last, self._reviewer.origins)
        except PlanError as error:
            self.failed.emit(str(error))
            return
        there = self.results.disagreement
        if there and runs.makes_the_same_as(self.results.flips):
            show(there)
            return
        self._state.begin_beside()
        self.results.flips = runs
        self._take(runs)
        self._plan_next()

    def _take(self, runs: RunQueue) -> None:
        """Let it be the turn of some runs."""
        self._runs = runs
        self._leash.hold([run.cancel for run in runs])
        self._stop_wanted = False
        # What a look at settings still finds would come in between.
        self._reviewer.review(None)

    def _on_state(self, state: str) -> None:
        if not self._state.beside and self._runs is not self.results.runs:
            # What ran beside the last run is over: all is as it was before.
            self._take(self.results.runs)
        self.state_changed.emit(state)

    def _on_reviewed(self, result: ReviewResult) -> None:
        self.problem_changed.emit(result.problem)
        self.review_changed.emit(result.review)
        self.estimate_changed.emit(result.estimate)
        self.grid.review(result.review)

    def _plan_next(self) -> None:
        """Plan the run at hand, or end where none is left."""
        for said in self._runs.take_turn(self._viewer, self._reviewer.origins):
            self.warned.emit(said)
        self._leash.hold([run.cancel for run in self._runs])
        run = self._runs.current
        if run is None:
            self._state.to(IDLE if self._runs.all_gone else DONE)
            return
        if not self._state.beside:
            self._request = run.request
            self.checks_changed.emit(None)
        self._stages.begin(run)

    def _on_data_replaced(self, run: LayerRun) -> None:
        """End a run over what nobody sees any more."""
        if run.cancel.is_set():
            return
        self.warned.emit(f"{run.name} shows other data than at the start: the run was stopped")
        self.stop()

    def _on_entered(self, state: str) -> None:
        run = self._runs.current
        if state == WRITING and run is not None:
            self.progress_changed.emit(writing_report(run, self._runs.number, len(self._runs)))
        self._state.to(state)

    def _on_planned(self, run: LayerRun) -> None:
        if not self._state.beside:
            self.review_changed.emit(plan_review(run))
        for warning in plan_warnings(run):
            self.warned.emit(warning)

    def _on_shown(self, run: LayerRun, worker: JobWorker) -> None:
        self.grid.run(run)
        self._watch.begin(self._runs, worker, only_progress=self._state.beside)

    def _on_halted(self, run: LayerRun) -> None:
        if run.gone:
            self._watch.stop()
        else:
            self._watch.finish(run)

    def _on_over(self, run: LayerRun, how: str, error: BaseException | None) -> None:
        """Go on after a run, or rest."""
        if how == run_stages.ABANDONED:
            self._watch.stop()
            self._state.abandon()
        elif how == run_stages.REFUSED and error is not None:
            self._refuse(run, problem_of(error))
        elif how == run_stages.FAILED and error is not None:
            self._tell(describe_failure(run, error), FAILED)
        elif how == run_stages.UNWRITTEN and error is not None:
            self._tell(describe_unwritten(run, error), STOPPED)
        elif how == run_stages.STOPPED:
            self._state.to(STOPPED)
            self.kept_changed.emit(run.kept_text() if run.has_to_write else run.kept)
        else:
            for warning in () if run.gone else result_warnings(run):
                self.warned.emit(warning)
            self._after(run)

    def _refuse(self, run: LayerRun, problem: FieldProblem) -> None:
        """End before anything ran, over what looking at the settings alone could not find."""
        if not self._state.beside:
            self.problem_changed.emit(problem)
        self._state.to(IDLE)
        name = f"{run.name}: " if len(self._runs) > 1 else ""
        self.failed.emit(f"{name}{problem.message}")

    def _after(self, run: LayerRun) -> None:
        """Go on with the next layer, unless the person stopped the run."""
        if run.gone:
            self._outputs.drop(run)
        self._runs.advance()
        if self._stop_wanted and self._runs.current is not None:
            self._state.to(STOPPED)
        else:
            self._plan_next()

    def _tell(self, message: str, state: str) -> None:
        """Rest, and say why."""
        show_error(message)
        self._state.to(state)
        self.failed.emit(message)

    def _on_layer_removed(self, event: Any) -> None:
        if self._leash.gone:
            return
        layer, run = event.value, self._runs.current
        goes_on = self._state.busy or self._state.resting == STOPPED
        if run is None or not run.shows(layer) or not goes_on:
            self._outputs.removed(layer)
            return
        run.gone = True
        run.cancel.set()
        if self._state.busy:
            self._state.to(STOPPING)
            return
        self._outputs.drop(run)
        self._state.replace_before(IDLE) if self._state.beside else self._state.to(IDLE)
