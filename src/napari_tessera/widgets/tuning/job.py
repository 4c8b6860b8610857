"""The measuring that the Tune button starts: what it does off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from napari_tessera.widgets.outline_stack import OutlineStack
from napari_tessera.widgets.worker import model_threads

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.prediction.tuning.best_tiles import Tuned
    from napari_tessera.prediction.tuning.remembered import Remembered
    from napari_tessera.prediction.tuning.stopping import MeasuringProgress
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.model_cache import ModelCache
    from napari_tessera.widgets.reports import PlanReview

SECONDS = 8.0
"""How long a measuring takes, about; a slow model takes a few of its tiles longer."""


class TuneBox:
    """What the thread that measures and the GUI thread tell one another. Holds nothing of Qt."""

    def __init__(self) -> None:
        self.cancel = Event()
        self.progress: MeasuringProgress | None = None

    def begin(self) -> Event:
        """Begin anew; gives what stops it."""
        self.cancel, self.progress = Event(), None
        return self.cancel

    def put(self, progress: MeasuringProgress) -> None:
        """Say how far it is; from any thread."""
        self.progress = progress

    def stop(self) -> None:
        """Let it end after the tile at work."""
        self.cancel.set()


@dataclass(frozen=True)
class Tuning:
    """What was measured.

    Parameters
    ----------
    tuned : Tuned
        The sizes.
    auto_batch : bool
        Whether the batch of the fastest is the one that was at hand.
    """

    tuned: Tuned
    auto_batch: bool


def tune(run: LayerRun, models: ModelCache, box: TuneBox, cancel: Event) -> Tuning:
    """Measure for the image, model and device of a run.

    Pixels are read only where the precision depends on them.

    Parameters
    ----------
    run : LayerRun
        Of everything in a layer.
    models : ModelCache
        Has the model.
    box : TuneBox
        Is told how far it is.
    cancel : threading.Event
        Stops it.

    Raises
    ------
    MeasuringStoppedError
        If it was stopped.
    """
    from napari_tessera.prediction.precision import fast_halves
    from napari_tessera.prediction.tuning.stopping import MeasuringStoppedError

    plan, loaded = run.make_plan(models, OutlineStack(run.stack))
    try:
        if loaded.is_precision_free and fast_halves(loaded.device):
            # "auto" leaves it to the plan, and that to the image: a run is in that precision
            plan, loaded = run.make_plan(models)
        if cancel.is_set():
            raise MeasuringStoppedError
        return _measured(run, plan, loaded.in_precision(plan.precision), box, cancel)
    finally:
        # an idle model holds no memory of a GPU
        loaded.release()


def _measured(
    run: LayerRun,
    plan: PredictionPlan,
    model: Model | ChannelModels,
    box: TuneBox,
    cancel: Event,
) -> Tuning:
    """Measure a model as it is, and remember what was found."""
    from napari_tessera.prediction.tuning.best_tiles import best_tiles
    from napari_tessera.prediction.tuning.remembered import remember

    batch = plan.settings.batch_size
    tuned = best_tiles(
        _heaviest(model),
        plan.layout.view_shape[2:],
        samples=plan.layout.view_shape[0],
        overlaps=run.request.overlaps,  # type: ignore[arg-type]  # "auto" or numbers
        tta=plan.tta,
        geometry=model.geometry,
        at_hand=(plan.patch_size, batch),
        torch_threads=model_threads(model),
        seconds=SECONDS,
        cancel=cancel,
        progress=box.put,
    )
    if _is_named(run):
        remember(model.sha256, str(model.device), model.precision, tuned)
    return Tuning(tuned, tuned.batch_size == batch)


def suggested(run_model: ModelCache, review: PlanReview) -> Remembered | None:
    """What an earlier measuring found for settings that were looked at, where it is other tiles.

    Parameters
    ----------
    run_model : ModelCache
        Has the model.
    review : PlanReview
        The settings, and what they come to.
    """
    from napari_tessera.prediction.tuning.remembered import remembered

    request, plan = review.request, review.plan
    model = run_model.get(request.source, request.device, request.precision)
    dims = len(plan.patch_size)
    found = remembered(model.sha256, str(model.device), plan.precision, dims)
    if found is None or found.patch_size == tuple(plan.patch_size):
        return None
    spatial = plan.layout.view_shape[2:]
    # of a smaller image these are no tiles
    fits = all(p <= size for p, size in zip(found.patch_size, spatial, strict=True))
    return found if fits else None


def _heaviest(model: Model | ChannelModels) -> Model:
    """The model itself, or of several the one that most is computed with."""
    several = getattr(model, "models", None)
    if several is None:
        return model  # type: ignore[return-value]  # the other kind has them
    heaviest: Model = max(several.values(), key=lambda each: each.work_per_pixel)
    return heaviest


def _is_named(run: LayerRun) -> bool:
    """Whether models are files or built in: what lives in Python has no hash that is sure."""
    from pathlib import Path

    source = run.request.source
    named = source.values() if isinstance(source, dict) else (source,)
    return all(isinstance(each, str | Path) for each in named)
