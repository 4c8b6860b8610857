"""Runs what the dock asks for, and says how it goes."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, QTimer

from napari_tessera.models import ModelError
from napari_tessera.prediction import PlanError
from napari_tessera.widgets.file_when_done import WritingStoppedError
from napari_tessera.widgets.flip_disagreement import kind_of
from napari_tessera.widgets.grid_keeper import GridKeeper
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.leash import Leash
from napari_tessera.widgets.live_layer import live_layer_of
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.outputs import Outputs
from napari_tessera.widgets.progress_box import writing_report
from napari_tessera.widgets.reports import (
    BUSY,
    DONE,
    FAILED,
    IDLE,
    PLANNING,
    RUNNING,
    STOPPED,
    STOPPING,
    WRITING,
    FieldProblem,
)
from napari_tessera.widgets.request import RunRequest
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
from napari_tessera.widgets.run_watch import RunWatch
from napari_tessera.widgets.speed import SpeedBook
from napari_tessera.widgets.worker import Job, JobWorker, start_job

if TYPE_CHECKING:
    from napari.components import ViewerModel


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
        self._state = IDLE
        self._request: RunRequest | None = None
        self._runs = RunQueue()
        self._stop_wanted = False
        self._worker: JobWorker | None = None
        self._cache = models or ModelCache()
        self._speed = SpeedBook()
        self._outputs = Outputs(viewer)
        self.results = Results(viewer)
        """The layers that show what the last run made."""
        self._set_aside: str | None = None
        """State to go back to, while flip disagreement is made beside the last run."""
        self._grid = GridKeeper(viewer)
        self._reviewer = Reviewer(viewer, self._cache, self._speed, self)
        self._reviewer.reviewed.connect(self._on_reviewed)
        self._reviewer.measured.connect(self.review_changed)
        self._watch = RunWatch(self._grid, self._speed, self)
        for name in ("progress_changed", "checks_changed", "estimate_changed"):
            getattr(self._watch, name).connect(getattr(self, name))
        self._leash = Leash(self._grid)
        # Qt may destroy this object when Python's garbage collector has already emptied what is
        # garbage with it, slots included: the leash has to outlive it, and nothing else may.
        weakref.finalize(self, self._leash.let_go).atexit = False
        self.destroyed.connect(self._leash.let_go)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return self._state

    @property
    def request(self) -> RunRequest | None:
        """Request of the last run; None before the first."""
        return self._request

    @property
    def can_resume(self) -> bool:
        """Whether `resume` would go on: stopped, the layers still there, the data the same."""
        run = self._runs.current
        goes_on = run is not None and not run.gone and self._runs.current_has_its_data
        return self._state == STOPPED and goes_on

    def review(self, request: RunRequest | None) -> None:
        """Look at settings in the background: tiles, estimate, problems; the grid follows.

        Only the newest request counts. None clears everything (no image chosen).
        """
        self.review_changed.emit(None)
        self._reviewer.review(request)
        if request is None:
            self.problem_changed.emit(None)
            self.estimate_changed.emit("")
            self._grid.review(None)

    def outdate_review(self) -> None:
        """Drop what is still being found of settings that have changed since."""
        self._reviewer.outdate()

    def start(self, request: RunRequest) -> None:
        """Denoise; does nothing while a run is going on."""
        if self._state in BUSY:
            return
        try:
            runs = RunQueue.of(self._viewer, request, self._reviewer.origins)
        except PlanError as error:
            self.problem_changed.emit(problem_of(error))
            return
        self.problem_changed.emit(None)
        self._request = request
        self.kept_changed.emit("")
        self.results.begin(runs)
        self._take(runs)
        self._plan_next()

    def stop(self) -> None:
        """End the run after the batch at work; what is done stays."""
        if self._state in (PLANNING, RUNNING, WRITING) and self._runs.current is not None:
            self._stop_wanted = True
            self._runs.current.cancel.set()
            self._set_state(STOPPING)

    def resume(self) -> None:
        """Go on with the stopped run: the same plan, the tiles that are missing."""
        run = self._runs.current
        if not self.can_resume or run is None:
            return
        self._stop_wanted = False
        run.cancel.clear()
        self.kept_changed.emit("")
        if run.has_to_write:
            self._write_file()
        elif run.prepared:
            self._set_state(PLANNING)
            self._show_output()
        else:
            self._plan_next()

    def show_grid(self, visible: bool) -> None:
        """Show the tile grid of the settings last reviewed, or take it away."""
        self._grid.show(visible)

    def show_removed_noise(self) -> None:
        """Add (or bring back) the removed-noise layers of the last run's outputs."""
        for problem in self.results.show_removed_noise():
            self.warned.emit(problem)

    def show_disagreement(self) -> None:
        """Make (or bring back) the flip disagreement of what is in view, beside the last run.

        The last run can go on afterwards where it could before.
        """
        last = self._request
        if self._state in BUSY or last is None:
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
        self._set_aside = self._state
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

    def _set_state(self, state: str) -> None:
        if self._set_aside is not None and state not in BUSY:
            # What ran beside the last run is over: all is as it was before.
            state, self._set_aside = self._set_aside, None
            self._take(self.results.runs)
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)

    def _on_reviewed(self, result: ReviewResult) -> None:
        self.problem_changed.emit(result.problem)
        self.review_changed.emit(result.review)
        self.estimate_changed.emit(result.estimate)
        self._grid.review(result.review)

    def _plan_next(self) -> None:
        """Plan the run at hand, or end where none is left."""
        self._runs.skip_missing(self._viewer.layers)
        run = self._runs.current
        if run is None:
            self._set_state(IDLE if self._runs.all_gone else DONE)
            return
        if self._set_aside is None:
            self.checks_changed.emit(None)
        reusable = self._outputs.reusable(run.source, kind_of(run.request))
        prepare = partial(run.prepare, self._cache, reusable)
        job = Job(prepare, f"getting ready to denoise {run.name}")
        self._worker = start_job(job, self._on_planned, run.cancel)
        self._set_state(PLANNING)

    def _on_planned(self) -> None:
        run, error = self._outcome()
        if run is None:
            return
        if run.gone:
            self._after(run)
        elif isinstance(error, (PlanError, ModelError)):
            self._refuse(run, problem_of(error))
        elif error is not None:
            self._fail(run, error)
        else:
            if self._set_aside is None:
                self.review_changed.emit(plan_review(run))
            for warning in plan_warnings(run):
                self.warned.emit(warning)
            QTimer.singleShot(0, self._show_output)

    def _refuse(self, run: LayerRun, problem: FieldProblem) -> None:
        """End before anything ran, over what looking at the settings alone could not find."""
        if self._set_aside is None:
            self.problem_changed.emit(problem)
        self._set_state(IDLE)
        name = f"{run.name}: " if len(self._runs) > 1 else ""
        self.failed.emit(f"{name}{problem.message}")

    def _ready(self) -> LayerRun | None:
        """The run that is about to start; None where it was stopped or removed meanwhile."""
        run = self._runs.current
        if run is not None and run.gone:
            self._after(run)
        elif run is not None and run.cancel.is_set():
            self._set_state(STOPPED)
        elif run is not None:
            run.read_look()
            return run
        return None

    def _show_output(self) -> None:
        """Add the output layer: in a turn of the event loop of its own, as napari needs one."""
        run = self._ready()
        if run is None or run.store is None:
            return
        if run.store.disposed:
            # The preview whose memory was to be used again was removed meanwhile.
            self._plan_next()
            return
        if run.live is None:
            run.live = live_layer_of(self._viewer, run, partial(self._outputs.shown, run))
        QTimer.singleShot(0, self._run_engine)

    def _run_engine(self) -> None:
        run = self._ready()
        if run is None:
            return
        self._grid.run(run)
        job = Job(run.run, f"denoising {run.name}", stand_back=True)
        self._worker = start_job(job, self._on_engine_finished, run.cancel)
        self._watch.begin(self._runs, self._worker, only_progress=self._set_aside is not None)
        self._set_state(RUNNING)

    def _on_engine_finished(self) -> None:
        run, error = self._outcome()
        if run is None:
            return
        if run.gone:
            self._watch.stop()
            self._after(run)
            return
        self._watch.finish(run)
        if error is not None:
            self._fail(run, error)
        elif run.result is None or not run.result.completed:
            self._set_state(STOPPED)
            self.kept_changed.emit(run.kept)
        elif run.has_to_write:
            self._write_file()
        else:
            self._end(run)

    def _write_file(self) -> None:
        """Write the file of a run whose tiles are all there."""
        run = self._ready()
        if run is None or run.file is None:
            return
        job = Job(run.write_file, f"writing {run.file.path.name}", stand_back=True)
        self._worker = start_job(job, self._on_file_written, run.cancel)
        self.progress_changed.emit(writing_report(run, self._runs.number, len(self._runs)))
        self._set_state(WRITING)

    def _on_file_written(self) -> None:
        run, error = self._outcome()
        if run is None or run.gone or error is None:
            if run is not None:
                self._end(run)
            return
        # All tiles are there: what kept the file from being written can be mended, and it goes on.
        self._set_state(STOPPED)
        if isinstance(error, WritingStoppedError):
            self.kept_changed.emit(run.kept_text())
        else:
            message = describe_unwritten(run, error)
            show_error(message)
            self.failed.emit(message)

    def _end(self, run: LayerRun) -> None:
        """Tell what a run that went through found out, and go on."""
        for warning in () if run.gone else result_warnings(run):
            self.warned.emit(warning)
        self._after(run)

    def _outcome(self) -> tuple[LayerRun | None, BaseException | None]:
        """Run and error of the job that finished; no run where napari's window closes."""
        worker, self._worker = self._worker, None
        run = self._runs.current
        if worker is None or run is None or worker.job.outcome is None:
            return None, None
        if worker.abort_requested:
            run.gone = True
            self._watch.stop()
            self._state = IDLE
            return None, None
        return run, worker.job.outcome.error

    def _after(self, run: LayerRun) -> None:
        """Go on with the next layer, unless the person stopped the run."""
        if run.gone:
            self._outputs.drop(run)
        self._runs.advance()
        if self._stop_wanted and self._runs.current is not None:
            self._set_state(STOPPED)
        else:
            self._plan_next()

    def _fail(self, run: LayerRun, error: BaseException) -> None:
        message = describe_failure(run, error)
        show_error(message)
        self._set_state(FAILED)
        self.failed.emit(message)

    def _on_layer_removed(self, event: Any) -> None:
        if self._leash.gone:
            return
        layer, run = event.value, self._runs.current
        if run is not None and self._state in (*BUSY, STOPPED) and run.shows(layer):
            run.gone = True
            run.cancel.set()
            if self._state in BUSY:
                self._set_state(STOPPING)
            else:
                self._outputs.drop(run)
                self._set_state(IDLE)
            return
        self._outputs.removed(layer)
