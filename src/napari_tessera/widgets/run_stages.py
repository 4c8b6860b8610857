"""One run through its stages: plan, show, predict, and write its file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.models import ModelError
from napari_tessera.prediction import PlanError
from napari_tessera.prediction.cluster.errors import ClusterError
from napari_tessera.widgets.cluster.failed_blocks import BlocksFailedError, failed_text
from napari_tessera.widgets.file_when_done import WritingStoppedError
from napari_tessera.widgets.flip_disagreement import kind_of
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.live_layer import live_layer_of
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.outputs import Outputs
from napari_tessera.widgets.run_state import PLANNING, RUNNING, WRITING
from napari_tessera.widgets.worker import Job, JobWorker, start_job

if TYPE_CHECKING:
    from napari.components import ViewerModel

THROUGH, STOPPED, UNWRITTEN = "through", "stopped", "unwritten"
REFUSED, FAILED, GONE, ABANDONED = "refused", "failed", "gone", "abandoned"
ENDS = (THROUGH, STOPPED, UNWRITTEN, REFUSED, FAILED, GONE, ABANDONED)
"""How a run may end: all done; stopped; all done but for what may go well the next time, as its
file could not be written, or its cluster failed; refused by its plan; failed; its layers removed;
napari's window closed."""


class RunStages(QObject):
    """Takes a run from stage to stage, each in a thread of its own, and tells how it ended.

    Belongs to the GUI thread, and never waits.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where output layers go.
    cache : ModelCache
        Models.
    outputs : Outputs
        What output layers show.
    parent : QObject
        Owner.

    Attributes
    ----------
    entered : Signal(str)
        A stage has begun: the state that belongs to it.
    planned : Signal(object)
        The run has its plan.
    shown : Signal(object, object)
        The run's output is shown and its engine starts: the run and its worker.
    halted : Signal(object)
        The run's engine is through, whatever came of it.
    over : Signal(object, str, object)
        The run, one of `ENDS`, and the error where there is one.
    """

    entered = Signal(str)
    planned = Signal(object)
    shown = Signal(object, object)
    halted = Signal(object)
    over = Signal(object, str, object)

    def __init__(
        self, viewer: ViewerModel, cache: ModelCache, outputs: Outputs, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._cache = cache
        self._outputs = outputs
        self._run: LayerRun | None = None
        self._worker: JobWorker | None = None

    def begin(self, run: LayerRun) -> None:
        """Start at the first stage."""
        self._run = run
        reusable = self._outputs.reusable(run.source, kind_of(run.request))
        prepare = partial(run.prepare, self._cache, reusable)
        job = Job(prepare, f"getting ready to denoise {run.name}")
        self._worker = start_job(job, self._on_planned, run.cancel)
        self.entered.emit(PLANNING)

    def go_on(self, run: LayerRun) -> None:
        """Go on with a run where it stopped."""
        self._run = run
        run.cancel.clear()
        if run.has_to_write:
            self._write_file()
        elif run.prepared:
            self.entered.emit(PLANNING)
            self._show_output()
        else:
            self.begin(run)

    def _on_planned(self) -> None:
        run, error = self._outcome()
        if run is None:
            return
        if run.gone:
            self._end(run, GONE)
        elif isinstance(error, (PlanError, ModelError)):
            self._end(run, REFUSED, error)
        elif error is not None:
            self._end(run, FAILED, error)
        else:
            self.planned.emit(run)
            QTimer.singleShot(0, self._show_output)

    def _ready(self) -> LayerRun | None:
        """The run that is about to go on; None where it was stopped or removed meanwhile."""
        run = self._run
        if run is not None and run.gone:
            self._end(run, GONE)
        elif run is not None and run.cancel.is_set():
            self._end(run, STOPPED)
        elif run is not None and not run.has_its_data:
            told = f"{run.name} shows other data than at the click: denoise again"
            self._end(run, REFUSED, PlanError(told, "image"))
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
            self.begin(run)
            return
        if run.live is None:
            try:
                run.live = live_layer_of(self._viewer, run, partial(self._outputs.shown, run))
            except Exception as error:
                # In a slot nobody would catch it, and the run would stay as it is for ever.
                self._end(run, FAILED, error)
                return
        QTimer.singleShot(0, self._run_engine)

    def _run_engine(self) -> None:
        run = self._ready()
        if run is None:
            return
        job = Job(run.run, f"denoising {run.name}", stand_back=True)
        self._worker = start_job(job, self._on_engine_finished, run.cancel)
        self.shown.emit(run, self._worker)
        self.entered.emit(RUNNING)

    def _on_engine_finished(self) -> None:
        run, error = self._outcome()
        if run is None:
            return
        self.halted.emit(run)
        if run.gone:
            self._end(run, GONE)
        elif isinstance(error, ClusterError):
            # What is saved is there, and the way to the cluster can be mended.
            self._end(run, UNWRITTEN, error)
        elif error is not None:
            self._end(run, FAILED, error)
        elif run.result is not None and run.result.failed_blocks:
            self._end(run, UNWRITTEN, BlocksFailedError(failed_text(run.result)))
        elif run.result is None or not run.result.completed:
            self._end(run, STOPPED)
        elif run.has_to_write:
            self._write_file()
        else:
            self._end(run, THROUGH)

    def _write_file(self) -> None:
        """Write the file of a run whose tiles are all there."""
        run = self._ready()
        if run is None or run.file is None:
            return
        job = Job(run.write_file, f"writing {run.file.path.name}", stand_back=True)
        self._worker = start_job(job, self._on_file_written, run.cancel)
        self.entered.emit(WRITING)

    def _on_file_written(self) -> None:
        run, error = self._outcome()
        if run is None:
            return
        if run.gone:
            self._end(run, GONE)
        elif error is None:
            self._end(run, THROUGH)
        elif isinstance(error, WritingStoppedError):
            self._end(run, STOPPED)
        else:
            # All tiles are there: what kept the file from being written can be mended.
            self._end(run, UNWRITTEN, error)

    def _outcome(self) -> tuple[LayerRun | None, BaseException | None]:
        """Run and error of the job that finished; no run where napari's window closes."""
        worker, self._worker = self._worker, None
        run = self._run
        if worker is None or run is None or worker.job.outcome is None:
            return None, None
        if worker.abort_requested:
            run.gone = True
            self._end(run, ABANDONED)
            return None, None
        return run, worker.job.outcome.error

    def _end(self, run: LayerRun, how: str, error: BaseException | None = None) -> None:
        self._run = None
        self.over.emit(run, how, error)
