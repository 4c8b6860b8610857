"""The plan of one layer's run, which may go on with a run in a store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction import PlanError, PredictionPlan, plan_prediction
from napari_tessera.widgets.fields.sizes import AUTO
from napari_tessera.widgets.inside_layer import planned_inside
from napari_tessera.widgets.request import TILE, RunRequest
from napari_tessera.widgets.run_area import region_of, snapped_to_tile
from napari_tessera.writing.stored.stored_run import read_unfinished

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.model_cache import ModelCache


def planned_run(
    run: LayerRun, cache: ModelCache, stack: Any = None
) -> tuple[PredictionPlan, Model | ChannelModels]:
    """Load the model of a run and decide everything.

    What the request leaves to the software is as in the stored run where that goes on.

    Parameters
    ----------
    run : LayerRun
        The run.
    cache : ModelCache
        Has the models of earlier runs.
    stack : ImageStack, optional
        What to plan for instead of the layer's image.

    Raises
    ------
    PlanError, ModelError
        If the model cannot be loaded, or the settings cannot be planned with.
    """
    request = run.request
    save, path = request.save, run.save_path
    if save is not None and path is not None and save.if_exists == "continue":
        settled = _as_stored(request, path) if save.file_format.while_running else request
        if settled != request:
            # of another model they need not be possible: what differs is told then
            with suppress(PlanError):
                return _planned(run, settled, cache, stack)
    return _planned(run, request, cache, stack)


def _planned(
    run: LayerRun, request: RunRequest, cache: ModelCache, stack: Any
) -> tuple[PredictionPlan, Model | ChannelModels]:
    model = cache.get(request.source, request.device, request.precision)
    settings = request.plan_settings
    if stack is not None:
        # An outline has no pixels to measure.
        settings.pop("statistics", None)
    plan = plan_prediction(
        stack or run.stack,
        model,
        **settings,
        region=region_of(request, model, run.selection, run.stack.original_axes) or None,
        inside=planned_inside(run.inside),
        output_dtype="input" if request.save and request.save.same_dtype else "float32",
        torch_threads=run.torch_threads(model),
        seams=cache.seams,
    )
    return snapped_to_tile(plan) if request.area == TILE else plan, model


def _as_stored(request: RunRequest, path: Path) -> RunRequest:
    with suppress(OSError):
        if (stored := read_unfinished(path)) is not None:
            return settled_as(stored.plan, request)
    return request


def settled_as(stored: Mapping[str, Any], request: RunRequest) -> RunRequest:
    """Take from a stored plan what a request leaves open: sizes, joining of tiles, precision.

    What is automatic need not come out the same with another free memory, or once tiles were
    tuned: a run that goes on keeps what it was begun with, as that of the command line does.

    Parameters
    ----------
    stored : mapping
        Plan of the stored run, as `PredictionPlan.to_dict` gives it.
    request : RunRequest
        What is asked for.

    Returns
    -------
    RunRequest
        The same where nothing is left open, or the plan does not say it.
    """
    deciding = stored.get("fingerprint_of")
    if not isinstance(deciding, Mapping):
        return request
    known: dict[str, Any] = {}
    for name in ("patch_size", "overlaps"):
        sizes = deciding.get(name)
        if isinstance(sizes, list) and all(type(size) is int for size in sizes):
            known[name] = tuple(sizes)
    for name in ("blending", "precision"):
        if isinstance(deciding.get(name), str):
            known[name] = deciding[name]
    return replace(request, **{k: v for k, v in known.items() if getattr(request, k) == AUTO})
