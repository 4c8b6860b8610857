"""Planning without pixels comes to the same tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.widgets.conftest import Blur

from napari_tessera.models import load_model
from napari_tessera.prediction import plan_prediction
from napari_tessera.stacks import ArrayStack, ImageStack
from napari_tessera.widgets.outline_stack import OutlineStack


class Unreadable:
    """Pixels that are never to be asked for."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError("a pixel was read")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8", "float32", "bool"])
def test_same_tiles_and_no_pixel_read(dtype: str) -> None:
    shape = (3, 2, 500, 400)
    outline = OutlineStack(ArrayStack(Unreadable(shape, dtype), "TCYX"))
    assert isinstance(outline, ImageStack)
    model = load_model(Blur(), device="cpu")
    plan = plan_prediction(outline, model, patch_size=(64, 64))
    real = plan_prediction(ArrayStack(np.ones(shape, dtype), "TCYX"), model, patch_size=(64, 64))
    assert plan.total_tiles == real.total_tiles
    assert (plan.patch_size, plan.overlaps) == (real.patch_size, real.overlaps)
    assert plan.warnings == ()
