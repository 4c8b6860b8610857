"""What every call that predicts begins and ends with: the plan with its model, and warnings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_tessera import models
from napari_tessera.prediction.matching import check_plan
from napari_tessera.prediction.pipeline import RunResult
from napari_tessera.prediction.plan import PlanError, PredictionPlan
from napari_tessera.prediction.planning import plan_prediction
from napari_tessera.stacks.absent import absent_text

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


def planned(
    plan: PredictionPlan | None,
    settings: Mapping[str, Any],
    stack: Any,
    model: Any,
    *,
    resumed: str | None = None,
) -> tuple[PredictionPlan, Model | ChannelModels]:
    """The plan given, checked against image and model, or a new one out of settings; the model.

    A plan decides the precision too: the model is taken in that of the plan. ``resumed`` names the
    store that the plan was read from.
    """
    if plan is None:
        model = models.load_model(model)
        return plan_prediction(stack, model, **settings), model
    if settings:
        raise PlanError(
            f"a plan and {', '.join(settings)} are given: the plan decides; leave one out", "plan"
        )
    model = models.load_model(model)
    if model.precision != plan.precision:
        model = model.to([replica.device for replica in model.replicas], plan.precision)
    check_plan(plan, stack, model, resumed=resumed)
    return plan, model


def warn_of(result: RunResult, stack: Any) -> None:
    """Warn of what the image lacks, once the run is through, where the caller was called."""
    if result.nonfinite:
        warnings.warn(
            f"{result.nonfinite} pixels of the image are NaN, infinite or beyond float32: they are "
            "not predicted, and statistics leave them out",
            UserWarning,
            stacklevel=3,
        )
    absent = absent_text(stack, result.absent_chunks)
    if absent:
        warnings.warn(absent, UserWarning, stacklevel=3)
    for notice in result.notices:
        warnings.warn(notice, UserWarning, stacklevel=3)
