"""The plan of a run that goes on: the stored one, as far as nothing else is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction.geometry import is_auto
from napari_tessera.prediction.matching import check_plan
from napari_tessera.prediction.plan import PlanError, PredictionPlan, RunSettings
from napari_tessera.prediction.planning import plan_prediction
from napari_tessera.stacks import ImageStack

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

_RUN_SETTINGS = frozenset(field.name for field in fields(RunSettings))


def resumed_plan(
    stored: Mapping[str, Any],
    settings: Mapping[str, Any],
    stack: ImageStack,
    model: Model | ChannelModels,
    *,
    resumed: str,
) -> PredictionPlan:
    """Plan a run that goes on with what is stored.

    What is not asked for, or left to ``"auto"``, is the stored run's: it need not come out the same
    with another free memory. How the rest is run may change.

    Parameters
    ----------
    stored : mapping
        The stored plan, as `PredictionPlan.to_dict` gives it.
    settings : mapping
        Settings of `plan_prediction` that are asked for.
    stack : ImageStack
        The image.
    model : Model or ChannelModels
        The model; taken in the precision of the stored plan.
    resumed : str
        What messages call the store.

    Returns
    -------
    PredictionPlan
        Of the stored fingerprint, unless a setting that decides the pixels differs from what is
        stored: whoever writes into the store refuses that, and names it.

    Raises
    ------
    PlanError
        If image or model are others, or a setting cannot be planned with.
    """
    try:
        plan = PredictionPlan.from_json(json.dumps(dict(stored)))
    except PlanError as error:
        raise PlanError(
            f"{resumed} cannot be resumed, its plan cannot be followed ({error}): overwrite it, or "
            "choose another name",
            "plan",
        ) from error
    if model.precision != plan.precision:
        model = model.to([replica.device for replica in model.replicas], plan.precision)
    check_plan(plan, stack, model, resumed=resumed)
    typed = {name: value for name, value in settings.items() if not is_auto(value)}
    plan = plan.with_settings(**{k: v for k, v in typed.items() if k in _RUN_SETTINGS})
    deciding = {name: value for name, value in typed.items() if name not in _RUN_SETTINGS}
    if not deciding:
        return plan
    known = _as_asked(plan)
    remeasured = {"normalization", "statistics"} & set(deciding)
    if not remeasured:
        # what was measured is stored, and need not be by every pixel once more
        known["statistics"] = "sample"
    asked = plan_prediction(stack, model, **{**known, **deciding})
    if "inside" not in deciding and _same_tiles(asked, plan):
        asked = replace(asked, inside=plan.inside)
    if not remeasured and _same_part(asked, plan):
        asked = replace(asked, normalization=plan.normalization)
    # what is refused needs no advice
    return plan if asked.fingerprint == plan.fingerprint else replace(asked, warnings=())


def _as_asked(plan: PredictionPlan) -> dict[str, Any]:
    """Settings that give a plan again."""
    region: dict[str, Any] = {
        letter: slice(chosen["start"], chosen["stop"]) if isinstance(chosen, Mapping) else chosen
        for letter, chosen in plan.region_selection.items()
    }
    if plan.input_channels is not None:
        region["C"] = list(plan.input_channels)
    ranges = plan.normalization
    # a model's own way is the image's statistics with its own numbers
    own = ranges.own_numbers and ranges.kind != "model"
    return {
        "patch_size": plan.patch_size,
        "overlaps": plan.overlaps,
        "blending": plan.blending,
        "region": region,
        "normalization": "auto" if own else ranges.kind,
        "statistics": ranges.measured,
        "tta": plan.tta,
        "hot_pixels": "keep" if plan.hot_pixels is None else "replace",
        "camera_offset": plan.camera_offset,
        "camera_gain": plan.camera_gain,
        "output_dtype": plan.output_dtype,
    }


def _same_tiles(one: PredictionPlan, other: PredictionPlan) -> bool:
    """Whether two plans number the same tiles."""
    return (one.tiles.axes, one.tiles.shape) == (other.tiles.axes, other.tiles.shape)


def _same_part(one: PredictionPlan, other: PredictionPlan) -> bool:
    """Whether two plans are over the same pixels of an image."""
    return (one.input_channels, one.region_selection) == (
        other.input_channels,
        other.region_selection,
    )
