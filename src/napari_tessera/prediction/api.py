"""One call from an image and a model to a prediction in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_tessera.prediction.pipeline import Progress, RunResult, run_prediction
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.starting import planned, warn_of
from napari_tessera.stacks.opened import opened
from napari_tessera.writing import ArrayWriter, WriteStrategy, fill_value


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
        If pixels of the image are NaN, infinite or beyond float32, or chunks of it are not in its
        store, and how many.
    """
    with opened(stack) as image:
        plan, model = planned(plan, settings, image, model)
        array, result = _predict(plan, image, model, writers, progress, cancel)
        warn_of(result, image)
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
