"""Plans of runs inside a mask: told apart, read back, refused where they are damaged."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.prediction.inside.masks import SHAPE, plan_of

from napari_tessera.models import Model
from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.prediction.plan import PLAN_VERSION, VERSION_INSIDE


def test_plans_with_a_mask_are_told_apart_and_those_without_stay(
    model: Model, pixels: np.ndarray, mask: np.ndarray
) -> None:
    plain, masked = plan_of(model, pixels, None), plan_of(model, pixels, mask)
    other = plan_of(model, pixels, mask[:, ::-1])
    assert len({plan.fingerprint for plan in (plain, masked, other)}) == 3
    assert "inside" not in plain.to_dict()["fingerprint_of"]
    assert plain.to_dict()["fingerprint_of"]["version"] == PLAN_VERSION
    assert masked.to_dict()["fingerprint_of"]["version"] == VERSION_INSIDE
    for plan in (plain, masked):
        read = PredictionPlan.from_json(plan.to_json())
        assert read == plan
        assert read.fingerprint == plan.fingerprint
        assert read.total_tiles == plan.total_tiles
    everything = plan_of(model, pixels, np.ones(SHAPE[1:], bool))
    assert everything.fingerprint == plain.fingerprint, "what skips nothing is as if not asked for"


@pytest.mark.parametrize(
    "change",
    [
        {"inside": {"axes": "YX", "shape": [5, 6], "runs": [1, 28]}},
        {"inside": {"axes": "YX", "shape": [5, 99], "runs": [1, 494]}},
        {"inside": {"axes": "YX", "shape": [5, 6], "runs": [30]}},
        {"inside": [1, 2]},
        {"inside": None},
        {"version": PLAN_VERSION},
    ],
)
def test_a_damaged_plan_is_refused(
    model: Model, pixels: np.ndarray, mask: np.ndarray, change: dict[str, Any]
) -> None:
    data = plan_of(model, pixels, mask).to_dict()
    data["fingerprint_of"].update(change)
    with pytest.raises(PlanError, match="damaged"):
        PredictionPlan.from_json(json.dumps(data))


def test_nothing_inside_is_told_at_the_area(model: Model, pixels: np.ndarray) -> None:
    with pytest.raises(PlanError, match="nothing of the area is inside the mask") as caught:
        plan_of(model, pixels, np.zeros(SHAPE[1:], bool))
    assert caught.value.field == "area"
