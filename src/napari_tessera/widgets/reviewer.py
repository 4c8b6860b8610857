"""Looks at settings in the background: what they come to, and what is wrong with them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.model_reader import reason_line
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.origins import OriginBook
from napari_tessera.widgets.outline_stack import OutlineStack
from napari_tessera.widgets.place_report import OTHER_RUN, RESUMABLE, PlaceReport
from napari_tessera.widgets.reports import FieldProblem, PlanReview
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.seams import SeamCauses, is_of_seams, with_measured_seams
from napari_tessera.widgets.speed import SpeedBook, estimate_text
from napari_tessera.widgets.worker import Outcome

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_tessera.models import ChannelModels, Model
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
    measured : Signal(object)
        The `PlanReview` of the newest settings again, after pixels were looked at: how high seams
        will be is known now. Only where some are expected.
    """

    reviewed = Signal(object)
    measured = Signal(object)

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
        self._looks = NewestJob("looking at settings", self)
        self._looks.finished.connect(self._on_looked)
        self._seams = NewestJob("looking at seams", self)
        self._seams.finished.connect(self._on_measured)
        self._expected: tuple[PlanReview, SeamCauses] | None = None
        """The newest review, where it expects seams, and which these are."""
        self._measured: tuple[SeamCauses, tuple[str, ...]] | None = None
        """The seams measured last, and what the image's plan warned of."""

    def outdate(self) -> None:
        """Never tell what is still being found: the settings have changed."""
        self._looks.forget()
        self._expected = None

    def review(self, request: RunRequest | None) -> None:
        """Look at settings; None forgets those asked for before."""
        self.outdate()
        if request is None:
            self._seams.forget()
            return
        try:
            runs = RunQueue.of(self._viewer, request, self.origins)
        except Exception as error:
            self.reviewed.emit(ReviewResult(request, problem=problem_of(error)))
            return
        self._looks.ask(runs, partial(_look, request, runs, self._cache, self._speed))

    def _on_looked(self, runs: RunQueue, outcome: Outcome) -> None:
        run = next(iter(runs))
        if outcome.error is not None:
            self.reviewed.emit(ReviewResult(run.request, problem=problem_of(outcome.error)))
            return
        result: ReviewResult = outcome.value
        review = result.review
        if review is None or not any(map(is_of_seams, review.warnings)):
            self.reviewed.emit(result)
            return
        seams = SeamCauses.of(run, review)
        self._expected = (review, seams)
        if self._measured is not None and self._measured[0] == seams:
            told = with_measured_seams(review.warnings, self._measured[1])
            self.reviewed.emit(replace(result, review=replace(review, warnings=told)))
            return
        self.reviewed.emit(result)
        self._seams.ask(seams, partial(_measured_warnings, run, self._cache))

    def _on_measured(self, seams: SeamCauses, outcome: Outcome) -> None:
        if outcome.error is not None:
            return
        self._measured = (seams, outcome.value)
        if self._expected is not None and self._expected[1] == seams:
            review, _ = self._expected
            told = with_measured_seams(review.warnings, outcome.value)
            self.measured.emit(replace(review, warnings=told))


def _look(request: RunRequest, runs: RunQueue, cache: ModelCache, speed: SpeedBook) -> ReviewResult:
    made, places = [], []
    for run in runs:
        run.check()
        run.resolve_save()
        plan, model, place = _looked_at(run, cache)
        made.append((plan, model))
        if place is not None:
            places.append(place)
    plan, model = made[0]
    return ReviewResult(
        request,
        PlanReview(
            request,
            plan,
            model.geometry.reach,
            plan.warnings,
            model.warnings,
            tuple(places),
            next(filter(None, map(LayerRun.waits, runs, (one for one, _ in made))), ""),
        ),
        estimate=estimate_text(
            [(p, speed.seconds_per_tile(p, m, request.cluster)) for p, m in made],
            request.area,
            request.made_channels,
        ),
    )


def _looked_at(
    run: LayerRun, cache: ModelCache
) -> tuple[PredictionPlan, Model | ChannelModels, PlaceReport | None]:
    """Plan without pixels, and look at the place; a run that is there is gone on with if it can be.

    What the settings leave open is as it was there then.
    """
    plan, model = run.make_plan(cache, OutlineStack(run.stack))
    place, save = run.look_at_place(plan), run.request.save
    if save is None or place is None or place.kind != OTHER_RUN or save.if_exists == "continue":
        return plan, model, place
    going_on = copy(run)
    going_on.request = replace(run.request, save=replace(save, if_exists="continue"))
    settled, _ = going_on.make_plan(cache, OutlineStack(run.stack))
    found = going_on.look_at_place(settled)
    if found is None or found.kind != RESUMABLE:
        return plan, model, place
    return (plan if save.if_exists == "overwrite" else settled), model, found


def _measured_warnings(run: LayerRun, cache: ModelCache) -> tuple[str, ...]:
    """Warnings of a plan of the image itself, which tells how high seams will be."""
    return run.make_plan(cache, run.stack)[0].warnings


def problem_of(error: BaseException) -> FieldProblem:
    """What is wrong with settings, and the field it belongs to."""
    if isinstance(error, PlanError):
        return FieldProblem(error.field, str(error), getattr(error, "kind", ""))
    # What fails without a pixel being read is the model, loaded or tried on a small tile.
    return FieldProblem("model", reason_line(error))
