"""Looks at settings in the background: what they come to, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.model_reader import one_line
from napari_tessera.widgets.origins import OriginBook
from napari_tessera.widgets.outline_stack import OutlineStack
from napari_tessera.widgets.reports import FieldProblem, PlanReview
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.speed import SpeedBook, estimate_text
from napari_tessera.widgets.worker import Job, start_job

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_tessera.widgets.request import RunRequest


@dataclass(frozen=True)
class ReviewResult:
    """What a look at settings found.

    Parameters
    ----------
    request : RunRequest
        The settings.
    review : PlanReview or None
        What they come to; None where there is a problem.
    problem : FieldProblem or None
        What is wrong.
    estimate : str
        Text of the estimate line.
    """

    request: RunRequest
    review: PlanReview | None = None
    problem: FieldProblem | None = None
    estimate: str = ""


class Reviewer(QObject):
    """Makes plans of settings without reading pixels; only the newest settings count.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    cache : ModelCache
        Models of earlier runs and reviews.
    speed : SpeedBook
        Measured times of tiles.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    reviewed : Signal(object)
        A `ReviewResult` of the newest settings.
    """

    reviewed = Signal(object)

    def __init__(
        self,
        viewer: ViewerModel,
        cache: ModelCache,
        speed: SpeedBook,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._cache = cache
        self._speed = speed
        self.origins = OriginBook()
        """What the layers that were looked at are read from."""
        self._wanted: RunRequest | None = None
        self._at_work: tuple[RunRequest, Job] | None = None

    def review(self, request: RunRequest | None) -> None:
        """Look at settings; None forgets those asked for before."""
        self._wanted = request
        if self._at_work is None:
            self._start()

    def _start(self) -> None:
        request, self._wanted = self._wanted, None
        if request is None:
            return
        try:
            runs = RunQueue.of(self._viewer, request, self.origins)
        except Exception as error:
            self.reviewed.emit(ReviewResult(request, problem=problem_of(error)))
            return
        # Nothing of this QObject goes into the other thread, which might be the last to hold it.
        look = partial(_look, request, runs, self._cache, self._speed)
        job = Job(look, "looking at settings")
        self._at_work = (request, job)
        start_job(job, self._on_finished, quiet=True)

    def _on_finished(self) -> None:
        assert self._at_work is not None
        (request, job), self._at_work = self._at_work, None
        if self._wanted is not None:
            self._start()
            return
        assert job.outcome is not None
        if job.outcome.error is not None:
            result = ReviewResult(request, problem=problem_of(job.outcome.error))
        else:
            result = job.outcome.value
        self.reviewed.emit(result)


def _look(request: RunRequest, runs: RunQueue, cache: ModelCache, speed: SpeedBook) -> ReviewResult:
    made = []
    for run in runs:
        run.resolve_save()
        made.append(run.make_plan(cache, OutlineStack(run.stack)))
    plan, model = made[0]
    return ReviewResult(
        request,
        PlanReview(request, plan, model.geometry.reach, plan.warnings, model.warnings),
        estimate=estimate_text([(p, speed.seconds_per_tile(p, m)) for p, m in made]),
    )


def problem_of(error: BaseException) -> FieldProblem:
    """What is wrong with settings, and the field it belongs to."""
    if isinstance(error, PlanError):
        return FieldProblem(error.field, str(error))
    # What fails without a pixel being read is the model, loaded or tried on a small tile.
    return FieldProblem("model", one_line(error))
