"""One call from an image and a model to a prediction, in memory or on disk."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_tessera import __version__, models
from napari_tessera.prediction.matching import check_plan
from napari_tessera.prediction.pipeline import Progress, RunResult, run_prediction
from napari_tessera.prediction.plan import PlanError, PredictionPlan
from napari_tessera.prediction.planning import plan_prediction
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.stacks import read_metadata, read_origins
from napari_tessera.stacks.absent import absent_text
from napari_tessera.stacks.opened import opened
from napari_tessera.writing import (
    ArrayWriter,
    WriteStrategy,
    WriteTilesZarr,
    check_target,
    check_tiff_dtype,
    fill_value,
    read_unfinished,
    write_ome_tiff,
)
from napari_tessera.writing.places.checks import TIFF_SUFFIXES

if TYPE_CHECKING:
    from napari_tessera.models import Model


def predict(
    stack: Any,
    model: Any,
    *,
    plan: PredictionPlan | None = None,
    writers: Sequence[tuple[WriteStrategy, str | Path]] = (),
    progress: Callable[[Progress], None] | None = None,
    cancel: Event | None = None,
    **settings: Any,
) -> NDArray[Any]:
    """Predict an image tile by tile, into memory.

    Parameters
    ----------
    stack : ImageStack
        The image, or anything that `open_stack` takes: what is opened here is closed again.
    model : Model or ChannelModels
        The model, or anything that `load_model` takes: ``{0: "a.ckpt", 1: "b.ckpt"}`` is a model
        for each of these channels, the others are left out.
    plan : PredictionPlan, optional
        A plan made before, for this image and model.
    writers : sequence of (WriteStrategy, path), optional
        More places for the same predictions.
    progress : callable, optional
        Called with a `Progress`, from the engine's threads.
    cancel : threading.Event, optional
        Set it to stop after the batch that runs.
    **settings
        Those of `plan_prediction`, where there is no plan.

    Returns
    -------
    numpy.ndarray
        The prediction in the image's own axes (C inserted or replaced where the model makes
        another number of channels) and the region's shape, in grey levels, or what the model's
        own last steps make of them. With ``tta="disagreement"`` the standard deviation over flips
        and turns instead: where the model is unstable, not where it is wrong. Pixels that a cancel
        left out are NaN, in integer arrays 0.

    Raises
    ------
    ValueError
        If a setting does not fit; see `plan_prediction`.
    MemoryError
        If the result is larger than the free memory.
    Exception
        Whatever reading, the model or a writer raises, as it is.

    Warns
    -----
    UserWarning
        If pixels of the image are NaN or infinite, or chunks of it are not in its store, and how
        many.
    """
    with opened(stack) as image:
        plan, model = _planned(plan, settings, image, model)
        array, result = _predict(plan, image, model, writers, progress, cancel)
        _warn_of(result, image)
        return array


def _predict(
    plan: PredictionPlan,
    stack: Any,
    model: Any,
    writers: Sequence[tuple[WriteStrategy, str | Path]],
    progress: Callable[[Progress], None] | None,
    cancel: Event | None,
) -> tuple[NDArray[Any], RunResult]:
    free = psutil.virtual_memory().available
    if plan.output_bytes > free:
        raise MemoryError(
            f"the result takes {plan.output_bytes / 1e9:.1f} GB, {free / 1e9:.1f} GB of memory are "
            "free: predict a region, or to disk"
        )
    dtype = np.dtype(plan.output_dtype)
    array = np.full(plan.region.selected_shape, fill_value(dtype), dtype)
    result = run_prediction(
        plan,
        stack,
        model,
        writers=[(ArrayWriter(array, plan.region), "."), *writers],
        cancel=cancel,
        progress=progress,
    )
    return array, result


def predict_to_disk(
    stack: Any,
    model: Any,
    path: str | Path,
    *,
    plan: PredictionPlan | None = None,
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[tuple[WriteStrategy, str | Path]] = (),
    progress: Callable[[Progress], None] | None = None,
    cancel: Event | None = None,
    chunks: Sequence[int] | None = None,
    **settings: Any,
) -> Path:
    """Predict an image tile by tile, onto disk.

    Parameters
    ----------
    stack, model, plan, writers, progress, cancel, **settings
        As for `predict`.
    path : str or pathlib.Path
        Where to write: ``.ome.zarr`` or ``.zarr`` (an OME-Zarr 0.5 image, each chunk written
        once as tiles arrive, memory independent of the image's size), or ``.ome.tif``,
        ``.tif``, ``.tiff`` (OME-TIFF, written when all is predicted). Both hold the plan, with
        the statistics that were used: in the attribute ``napari_tessera`` of the Zarr group, in a
        map annotation of the TIFF.
    resume : bool, default False
        Go on with the unfinished run that is at ``path``: with its plan where neither a plan nor
        settings are given, else these must be the same. Nothing to go on with is no error. Zarr
        only.
    overwrite : bool, default False
        Replace what is at ``path``.
    chunks : sequence of int, optional
        Chunk sizes of the Zarr along its last axes, others get 1.

    Returns
    -------
    pathlib.Path
        Where it was written. After a cancel the Zarr holds what is done; no TIFF is written.

    Raises
    ------
    FileExistsError
        If there is something at ``path`` and neither ``resume`` nor ``overwrite``.
    ValueError
        If a setting does not fit, the suffix is unknown, or the unfinished run is of another
        plan.
    OSError
        If the place cannot be written to.

    Warns
    -----
    UserWarning
        If pixels of the image are NaN or infinite, or chunks of it are not in its store, and how
        many.
    """
    target = Path(path)
    with opened(stack) as image:
        places: list[str | Path] = [str(image.source), *read_origins(image)]
        check_target(target, resume=resume, overwrite=overwrite, source=places)
        stored = read_unfinished(target) if resume else None
        if stored is not None and plan is None and not settings:
            # What was "auto" then need not come out the same here: the stored plan decides.
            plan = PredictionPlan.from_json(json.dumps(stored.plan))
        plan, model = _planned(plan, settings, image, model)
        if target.suffix.lower() in TIFF_SUFFIXES:
            check_tiff_dtype(np.dtype(plan.output_dtype))
            array, outcome = _predict(plan, image, model, writers, progress, cancel)
            if outcome.completed:
                write_ome_tiff(
                    target,
                    array,
                    axes=plan.layout.output_axes,
                    metadata=read_metadata(image).with_axes(plan.layout.output_axes),
                    made_by={
                        "version": __version__,
                        "plan": plan.to_dict(),
                        "fingerprint": plan.fingerprint,
                    },
                    overwrite=overwrite,
                )
            _warn_of(outcome, image)
            return target
        # Tile numbers mean something within one plan only; the writer refuses a run of another.
        same = stored is not None and stored.fingerprint == plan.fingerprint
        schedule = Schedule(plan.tiles, done=stored.done if stored is not None and same else ())
        result = run_prediction(
            plan,
            image,
            model,
            writers=[
                (WriteTilesZarr(target, overwrite=overwrite, chunks=chunks), target.parent),
                *writers,
            ],
            schedule=schedule,
            cancel=cancel,
            progress=progress,
            resume=stored is not None,
        )
        _warn_of(result, image)
        return target


def _planned(
    plan: PredictionPlan | None, settings: dict[str, Any], stack: Any, model: Any
) -> tuple[PredictionPlan, Model]:
    """The plan given, checked against image and model, or a new one out of settings; the model.

    A plan decides the precision too: the model is taken in that of the plan.
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
        model = model.to(str(model.device), plan.precision)
    check_plan(plan, stack, model)
    return plan, model


def _warn_of(result: RunResult, stack: Any) -> None:
    """Warn of what the image lacks, once the run is through."""
    if result.nonfinite:
        warnings.warn(
            f"{result.nonfinite} pixels of the image are NaN or infinite: they stay so, and "
            "statistics leave them out",
            UserWarning,
            stacklevel=3,
        )
    absent = absent_text(stack, result.absent_chunks)
    if absent:
        warnings.warn(absent, UserWarning, stacklevel=3)
