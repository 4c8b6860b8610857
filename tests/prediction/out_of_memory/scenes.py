"""Plans and runs that are compared where memory is short, and where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.models import Model
from napari_tessera.prediction import PredictionPlan, RunResult, run_prediction
from napari_tessera.writing import ArrayWriter

from .conftest import Room


def image(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(4).normal(100, 10, shape).astype(np.float32)


def as_it_is(net: Any) -> Model:
    """A model that nothing was prepared for, so that calls can be counted."""
    return load_model(net, device="cpu", prepare=False)


def planned(pixels: np.ndarray, net: Any, axes: str = "YX", **given: Any) -> Any:
    """Plan, image and model."""
    model = net if hasattr(net, "for_channel") else as_it_is(net)
    stack = open_stack(pixels, axes)
    return plan_prediction(stack, model, **given), stack, model


def run(plan: PredictionPlan, stack: Any, model: Any, **given: Any) -> tuple[np.ndarray, RunResult]:
    array = np.zeros(plan.region.selected_shape, np.float32)
    writers = [(ArrayWriter(array, plan.region), ".")]
    return array, run_prediction(plan, stack, model, writers=writers, **given)


def without_shortage(room: Room, plan: PredictionPlan, stack: Any, model: Any) -> np.ndarray:
    """What is predicted where memory is enough; forgets the calls."""
    room.is_short = False
    expected, result = run(plan, stack, model)
    assert result.notices == ()
    room.is_short = True
    room.calls.clear()
    room.refused.clear()
    return expected


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """As near as tiles of different sizes are, by kernels that switch with the size."""
    return float(np.abs(one - other).max()) <= 1e-5 * float(np.ptp(other))
