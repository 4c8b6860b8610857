"""Trains in a thread, and says how it goes."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.training.errors import TrainingError
from napari_tessera.training.stop import Stop
from napari_tessera.widgets.layer_source import open_layer
from napari_tessera.widgets.leash import Leash
from napari_tessera.widgets.model_reader import reason_line
from napari_tessera.widgets.reports import FieldProblem
from napari_tessera.widgets.training.box import Curve, TrainingBox
from napari_tessera.widgets.training.job import TrainingOrder, run_training
from napari_tessera.widgets.training.mask import read_mask
from napari_tessera.widgets.training.pace import PaceBook, pace_key
from napari_tessera.widgets.training.request import TrainingRequest
from napari_tessera.widgets.training.wish import StopWish
from napari_tessera.widgets.worker import Job, start_job

if TYPE_CHECKING:
    from napari.components import ViewerModel

IDLE, PREPARING, TRAINING, STOPPING = "idle", "preparing", "training", "stopping"
DONE, PAUSED, FAILED = "done", "paused", "failed"
BUSY = (PREPARING, TRAINING, STOPPING)
"""States in which a thread trains."""

LOOK_MS = 100
"""How often the GUI thread looks how far it is, in milliseconds."""

_NO_CURVE = Curve()


class TrainingController(QObject):
    """One training after another; all methods belong to the GUI thread, and none waits.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Has the layers.
    parent : QObject, optional
        Owner; the training pauses when it is destroyed.

    Attributes
    ----------
    state_changed : Signal(str)
        One of the states of this module.
    told : Signal()
        `progress` or `curve` are others than before, at most ten times a second.
    noticed : Signal(str)
        One line that people should see though the training goes on.
    problem_found : Signal(object)
        A `FieldProblem`: why it could not begin, or not go on.
    trained : Signal(object)
        The path of a model that was written.
    """

    state_changed = Signal(str)
    told = Signal()
    noticed = Signal(str)
    problem_found = Signal(object)
    trained = Signal(object)

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.state = IDLE
        self.request: TrainingRequest | None = None
        """The training at hand, or the last one."""
        self.box = TrainingBox()
        self.progress, self.curve = self.box.now()
        self.book = PaceBook()
        """How fast trainings were."""
        self._wish = StopWish()
        self._job: Job | None = None
        self._watched: list[Any] = []
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._leash = Leash()
        # as with runs: it ends whoever destroys this object, and outlives it
        weakref.finalize(self, self._leash.let_go).atexit = False
        self.destroyed.connect(self._leash.let_go)

    @property
    def busy(self) -> bool:
        """Whether a thread trains."""
        return self.state in BUSY

    def start(self, request: TrainingRequest, curve: Curve = _NO_CURVE) -> None:
        """Train; does nothing while a training goes on.

        Parameters
        ----------
        request : TrainingRequest
            What to train.
        curve : Curve
            Losses of before, where it goes on.
        """
        if self.busy or self._closed:
            return
        try:
            order = self._order(request)
        except (TrainingError, ValueError) as error:
            self.problem_found.emit(FieldProblem(getattr(error, "field", "image"), str(error)))
            return
        self.request, self.box, self._wish = request, TrainingBox(curve), StopWish()
        self.progress, self.curve = self.box.now()
        self._leash.hold([self._wish])
        self._watch(request)
        work = partial(run_training, order, self.box, self._wish)
        self._job = Job(work, f"training on {request.layer.name}", stand_back=True)
        self._to(PREPARING)
        self.told.emit()
        start_job(self._job, self._on_finished, self._wish)
        self._timer.start()

    def stop(self, wish: Stop) -> None:
        """End the training after the step at work."""
        if self.state in (PREPARING, TRAINING):
            self._wish.stop(wish)
            self._to(STOPPING)

    def shut_down(self) -> None:
        """Pause, and let go of the viewer; the controller is of no use afterwards."""
        self._closed = True
        self._leash.let_go()
        self._timer.stop()
        self._unwatch()

    def _order(self, request: TrainingRequest) -> TrainingOrder:
        stack = open_layer(request.layer, request.axes)
        target = None
        if request.target is not None:
            try:
                target = open_layer(request.target, request.axes)
            except ValueError as error:
                raise TrainingError(str(error), "target") from error
        channels = stack.data_shape[1]
        return TrainingOrder(
            stack,
            request.settings,
            request.model_out,
            read_mask(request.mask, request.layer, stack.original_axes),
            request.device,
            self.book,
            pace_key(request.settings, channels, request.device),
            target,
            request.resume,
            request.overwrite,
        )

    def _watch(self, request: TrainingRequest) -> None:
        self._unwatch()
        self._viewer.layers.events.removed.connect(self._on_removed)
        self._watched = [(self._viewer.layers.events.removed, self._on_removed)]
        for layer in filter(None, (request.layer, request.target)):
            layer.events.data.connect(self._on_data)
            self._watched.append((layer.events.data, self._on_data))

    def _unwatch(self) -> None:
        for emitter, slot in self._watched:
            emitter.disconnect(slot)
        self._watched = []

    def _on_removed(self, event: Any) -> None:
        request = self.request
        if request is not None and event.value in (request.layer, request.target):
            self._lose(f"{event.value.name} was removed")

    def _on_data(self, event: Any) -> None:
        self._lose(f"{event.source.name} shows other data than at the start")

    def _lose(self, why: str) -> None:
        """Pause over an image that nobody sees any more."""
        if self.state in (PREPARING, TRAINING):
            self.noticed.emit(f"{why}: the training was stopped, what was learned is kept")
            self.stop(Stop.PAUSE)

    def _look(self) -> None:
        """Tell what is new."""
        progress, curve, notices = self.box.look()
        if self.state == PREPARING and self.box.live is not None:
            self._to(TRAINING)
        if progress is not self.progress or curve is not self.curve:
            self.progress, self.curve = progress, curve
            self.told.emit()
        for notice in notices:
            self.noticed.emit(notice)

    def _on_finished(self) -> None:
        job = self._job
        if self._closed or job is None or job.outcome is None:
            return
        self._job = None
        self._timer.stop()
        self._look()
        self._unwatch()
        error, end = job.outcome.error, job.outcome.value
        if error is not None:
            self._to(FAILED)
            self.problem_found.emit(problem_of(error))
        elif end.model is None:
            self._to(PAUSED)
        else:
            self._to(DONE)
            self.trained.emit(end.model)

    def _to(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)


def problem_of(error: BaseException) -> FieldProblem:
    """What a training ended with, and which field it belongs to; empty where to none."""
    if isinstance(error, TrainingError):
        return FieldProblem(error.field, str(error))
    if isinstance(error, OSError):
        return FieldProblem("model_out", reason_line(error))
    return FieldProblem("", f"The training failed: {reason_line(error)}")
