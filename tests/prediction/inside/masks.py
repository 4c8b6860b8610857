"""An image, a network that counts its tiles, and plans that predict a part of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from napari_tessera import plan_prediction
from napari_tessera.models import Model
from napari_tessera.prediction import PredictionPlan
from napari_tessera.stacks import ArrayStack

AXES, SHAPE = "ZYX", (3, 200, 260)
SETTINGS: dict[str, Any] = {"patch_size": 48, "overlaps": 4}


class Counting(nn.Module):
    """A 3×3 mean whose copies count the tiles they saw."""

    seen = 0

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.mean.weight, 1 / 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Counting.seen += x.shape[0]
        return self.mean(x)


def plan_of(model: Model, pixels: np.ndarray, inside: Any, **settings: Any) -> PredictionPlan:
    return plan_prediction(
        ArrayStack(pixels, AXES), model, inside=inside, **{**SETTINGS, **settings}
    )


def expected_of(plan: PredictionPlan, whole: np.ndarray, fill: float = np.nan) -> np.ndarray:
    """The whole prediction in the tiles that are kept."""
    assert plan.skipped is not None
    expected = np.full(plan.region.shape, fill, whole.dtype)
    for tile in np.flatnonzero(~plan.skipped):
        block = plan.tiles.block(int(tile))
        expected[block] = whole[block]
    return expected[np.ix_(*plan.region.indices)]
