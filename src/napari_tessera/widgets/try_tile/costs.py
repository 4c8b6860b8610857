"""What the area that is chosen would take, and everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_tessera.prediction import PlanError, PredictionPlan, estimate
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.outline_stack import OutlineStack
from napari_tessera.widgets.output_store import choose_store
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.try_tile.words import Cost

if TYPE_CHECKING:
    from napari.components import ViewerModel


def runs_of(viewer: ViewerModel, request: RunRequest) -> list[RunQueue]:
    """The runs of what is chosen, and of everything; in the GUI thread.

    An area of which nothing is there now is left out.
    """
    found = []
    areas = dict.fromkeys((request.area, EVERYTHING))
    for area in areas:
        try:
            found.append(RunQueue.of(viewer, replace(request, area=area)))
        except PlanError:
            continue
    return found


def costs_of(queues: Iterable[RunQueue], models: ModelCache, seconds_per_tile: float) -> list[Cost]:
    """What runs would take; reads no pixels. Takes time: not for the GUI thread.

    Parameters
    ----------
    queues : iterable of RunQueue
        The runs.
    models : ModelCache
        Has the models.
    seconds_per_tile : float
        Measured with the same settings.
    """
    return [_cost(queue, models, seconds_per_tile) for queue in queues]


def _cost(queue: RunQueue, models: ModelCache, seconds_per_tile: float) -> Cost:
    tiles = memory = disk = 0
    area = ""
    for run in queue:
        area = run.request.area
        plan, _ = run.make_plan(models, OutlineStack(run.stack))
        tiles += plan.total_tiles
        in_memory, on_disk = _bytes(run, plan)
        memory, disk = memory + in_memory, disk + on_disk
    return Cost(area, tiles, tiles * seconds_per_tile, memory, disk)


def _bytes(run: LayerRun, plan: PredictionPlan) -> tuple[int, int]:
    """Bytes in memory and on disk of a run's result."""
    rgb = run.colours_of(plan)
    colours = rgb.n if rgb is not None else None
    saved = estimate(plan).output_bytes if run.request.save is not None else 0
    choice = choose_store(plan, colours)
    if choice.kind == "disk":
        # What does not fit into memory is shown from where it is saved.
        return 0, saved or choice.n_bytes
    return choice.n_bytes, saved
