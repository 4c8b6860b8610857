"""Whether a plan, an image and a model belong together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from napari_tessera.prediction.intensity import IntensityRanges
from napari_tessera.prediction.plan import PlanError, PredictionPlan
from napari_tessera.stacks import ImageStack

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

MOST_SAMPLES = 8
"""Samples that an image is known again by."""


def check_plan(
    plan: PredictionPlan,
    stack: ImageStack,
    model: Model | ChannelModels,
    *,
    resumed: str | None = None,
) -> None:
    """Raise PlanError unless a plan was made for this image and this model.

    Parameters
    ----------
    plan, stack, model
        What is to go together.
    resumed : str, optional
        What messages call the store whose run is gone on with by this plan; None where the plan
        was given.
    """
    channels = _channel_difference(plan, stack)
    if channels is not None:
        raise PlanError(
            f"the plan is for {channels}: choose channels as the plan's run did (--channels, in "
            "Python channels=…; none where it took all), or make a plan for this image"
            if resumed is None
            else f"{resumed} cannot be resumed, its run is of {channels}: choose channels as it "
            "did (--channels, in Python channels=…; none where it took all), or overwrite it",
            "plan",
        )
    difference = _image_difference(plan, stack)
    kind = "image"
    if difference is None:
        difference, kind = _model_difference(plan, model), "model"
    if difference is not None:
        raise PlanError(
            f"the plan is for {difference}: make a plan for this {kind}"
            if resumed is None
            else f"{resumed} cannot be resumed, its run is of {difference}: resume with that "
            f"{kind}, or overwrite it",
            "plan",
        )
    IntensityRanges(plan, model).check()


def _channel_difference(plan: PredictionPlan, stack: ImageStack) -> str | None:
    """The numbers of channels where nothing else of axes and shape differs."""
    axes, shape = stack.original_axes, tuple(stack.original_data_shape)
    at = axes.find("C")
    if at < 0 or axes != plan.input_axes or len(shape) != len(plan.input_shape):
        return None
    there, now = plan.input_shape[at], shape[at]
    if there == now or (*shape[:at], there, *shape[at + 1 :]) != tuple(plan.input_shape):
        return None
    return f"an image of C {there}, this one has C {now}"


def _image_difference(plan: PredictionPlan, stack: ImageStack) -> str | None:
    theirs = {
        "axes": stack.original_axes,
        "shape": tuple(stack.original_data_shape),
        "dtype": str(np.dtype(stack.data_dtype)),
    }
    ours = {"axes": plan.input_axes, "shape": plan.input_shape, "dtype": plan.input_dtype}
    for name, value in theirs.items():
        if ours[name] != value:
            return f"an image of {name} {ours[name]}, this one has {value}"
    if plan.input_fingerprint != image_fingerprint(stack):
        return "an image with other pixels"
    return None


def _model_difference(plan: PredictionPlan, model: Model | ChannelModels) -> str | None:
    if plan.model_sha256 != model.sha256:
        return (
            f"the model {plan.model_name} ({plan.model_sha256[:12]}), this is {model.name} "
            f"({model.sha256[:12]})"
        )
    made = model.geometry.out_channels
    if made != (plan.output_channels or 1):
        return f"a model that makes {plan.output_channels or 1} channels, {model.name} makes {made}"
    for letter, k, period in zip(
        plan.layout.spatial_axes, plan.alignment, model.geometry.period, strict=False
    ):
        if k % period:
            return (
                f"a model of another period (alignment {letter} {k} is no multiple of the "
                f"model's period {period})"
            )
    return None


def image_fingerprint(stack: ImageStack) -> str:
    """Hash of shape, dtype and three fixed blocks of each of a few samples, evenly spread."""
    shape = tuple(stack.data_shape)
    digest = hashlib.sha256(f"{shape} {np.dtype(stack.data_dtype)}".encode())
    size = tuple(min(64, s) if i >= len(shape) - 4 else 1 for i, s in enumerate(shape[2:]))
    last = shape[0] - 1
    steps = min(MOST_SAMPLES - 1, max(last, 1))
    for sample in sorted({step * last // steps for step in range(steps + 1)}):
        for corner in (0.0, 0.5, 1.0):
            coords = tuple(int((s - b) * corner) for s, b in zip(shape[2:], size, strict=True))
            block = np.ascontiguousarray(stack.extract_patch(sample, None, coords, size))
            digest.update(block.tobytes())
    return digest.hexdigest()
