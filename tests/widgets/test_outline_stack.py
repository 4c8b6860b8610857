"""Planning without pixels comes to the same tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.widgets.conftest import Blur

from napari_tessera.models import load_model
from napari_tessera.prediction import plan_prediction
from napari_tessera.prediction.statistics import measure
from napari_tessera.stacks import ArrayStack, ImageStack, open_stack
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


def test_of_an_outline_one_pixel_is_looked_at() -> None:
    """Settings are looked at with every key that is typed: nothing is worked out of no pixels."""
    read: list[tuple[int, ...]] = []

    class Counted(OutlineStack):
        def extract_patch(self, *args: Any) -> Any:
            read.append(tuple(args[3]))
            return super().extract_patch(*args)

    stack = open_stack(np.zeros((3, 900, 1000), np.uint16), "TYX")
    found = measure(Counted(stack), range(3), None, "time_point")
    assert read == [(1, 1)] * 3
    assert found.nonfinite == found.pixels == 3
    whole = measure(open_stack(np.full((3, 9, 9), np.nan), "TYX"), range(3), None, "time_point")
    assert found.normalization == whole.normalization
