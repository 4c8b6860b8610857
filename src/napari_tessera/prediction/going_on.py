"""The plan of a run into a Zarr image, which may go on with what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import zarr

from napari_tessera import models
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.resuming import resumed_plan
from napari_tessera.prediction.starting import planned
from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.zarr.nodes import quiet_zarr
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.ome.metadata import OME_VERSIONS, zarr_format
from napari_tessera.writing.places.target import Target
from napari_tessera.writing.stored.stored_run import StoredRun

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


def version_there(target: Target) -> str | None:
    """Version of OME-Zarr of the run that is at a place; None where there is none."""
    if read_unfinished(target) is None:
        return None
    with quiet_zarr():
        store = target.open_store(read_only=True)
        group = zarr.open_group(store, mode="r", use_consolidated=False)
    return next(v for v in OME_VERSIONS if zarr_format(v) == group.metadata.zarr_format)


def plan_into(
    target: Target,
    plan: PredictionPlan | None,
    settings: Mapping[str, Any],
    image: ImageStack,
    model: Any,
    *,
    resume: bool,
) -> tuple[PredictionPlan, Model | ChannelModels, StoredRun | None]:
    """Plan a run into a place: as what is there, as what was given, or anew.

    Parameters
    ----------
    target : Target
        Where it goes.
    plan, settings, image, model
        As for `save_prediction`.
    resume : bool
        Whether to go on with what is there.

    Returns
    -------
    PredictionPlan
        The plan.
    Model or ChannelModels
        The model, in the plan's precision.
    StoredRun or None
        What there is to go on with.
    """
    stored = read_unfinished(target) if resume else None
    if stored is not None and plan is None:
        model = models.load_model(model)
        plan = resumed_plan(stored.plan, settings, image, model, resumed=str(target))
        settings = {}
    # a plan typed again out of its JSON is the stored one too
    own = stored is not None and plan is not None and plan.fingerprint == stored.fingerprint
    plan, model = planned(plan, settings, image, model, resumed=str(target) if own else None)
    return plan, model, stored
