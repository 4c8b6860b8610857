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


def check_plan(plan: PredictionPlan, stack: ImageStack, model: Model | ChannelModels) -> None:
    """Raise PlanError unless a plan was made for this image and this model."""
    theirs = {
        "axes": stack.original_axes,
        "shape": tuple(stack.original_data_shape),
        "dtype": str(np.dtype(stack.data_dtype)),
    }
    ours = {"axes": plan.input_axes, "shape": plan.input_shape, "dtype": plan.input_dtype}
    for name, value in theirs.items():
        if ours[name] != value:
            raise PlanError(
                f"the plan is for an image of {name} {ours[name]}, this one has {value}: make a "
                "plan for this image",
                "plan",
            )
    if plan.input_fingerprint != image_fingerprint(stack):
        raise PlanError(
            "the plan is for an image with other pixels: make a plan for this image", "plan"
        )
    if plan.model_sha256 != model.sha256:
        raise PlanError(
            f"the plan is for the model {plan.model_name} ({plan.model_sha256[:12]}), this is "
            f"{model.name} ({model.sha256[:12]}): make a plan for this model",
            "plan",
        )
    made = model.geometry.out_channels
    if made != (plan.output_channels or 1):
        raise PlanError(
            f"the plan is for a model that makes {plan.output_channels or 1} channels, "
            f"{model.name} makes {made}: make a plan for this model",
            "plan",
        )
    for letter, k, period in zip(
        plan.layout.spatial_axes, plan.alignment, model.geometry.period, strict=False
    ):
        if k % period:
            raise PlanError(
                f"the plan's alignment {letter} {k} is no multiple of the model's period {period}: "
                "make a plan for this model",
                "plan",
            )
    IntensityRanges(plan, model).check()


def image_fingerprint(stack: ImageStack) -> str:
    """Hash of shape, dtype and a few fixed blocks of the first, middle and last sample."""
    shape = tuple(stack.data_shape)
    digest = hashlib.sha256(f"{shape} {np.dtype(stack.data_dtype)}".encode())
    size = tuple(min(64, s) if i >= len(shape) - 4 else 1 for i, s in enumerate(shape[2:]))
    for sample in sorted({0, shape[0] // 2, shape[0] - 1}):
        for corner in (0.0, 0.5, 1.0):
            coords = tuple(int((s - b) * corner) for s, b in zip(shape[2:], size, strict=True))
            block = np.ascontiguousarray(stack.extract_patch(sample, None, coords, size))
            digest.update(block.tobytes())
    return digest.hexdigest()
