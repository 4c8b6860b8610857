"""Which plans give the same pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.widgets.conftest import Blur, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import PredictionPlan, plan_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.preview.same_pixels import (
    pixels_key,
    same_statistics,
    with_samples,
)

IMAGE = noisy((4, 3, 90, 80))


def plan_of(image: Any = IMAGE, **settings: Any) -> PredictionPlan:
    """A plan of a series of volumes."""
    settings = {"patch_size": (32, 32), "normalization": "time_point", **settings}
    return plan_prediction(ArrayStack(image, "TZYX"), load_model(Blur(), device="cpu"), **settings)


def test_the_area_and_the_type_that_is_saved_do_not_matter() -> None:
    key = pixels_key(plan_of(), "cpu")
    mask = np.zeros((90, 80), bool)
    mask[:20, :20] = True
    for same in (
        {"region": {"T": 2}},
        {"region": {"Z": slice(1, 3), "Y": slice(3, 50)}},
        {"inside": mask},
    ):
        assert pixels_key(plan_of(**same), "cpu") == key
    stack, model = ArrayStack(IMAGE.astype(np.uint16), "TZYX"), load_model(Blur(), device="cpu")
    names = {
        pixels_key(plan_prediction(stack, model, patch_size=(32, 32), output_dtype=dtype), "cpu")
        for dtype in ("float32", "input", "uint8")
    }
    assert len(names) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"patch_size": (48, 32)},
        {"overlaps": (8, 8)},
        {"normalization": "series"},
        {"normalization": "none"},
        {"statistics": "exact"},
        {"blending": "linear"},
        {"tta": "mean"},
        {"output_dtype": "float64"},
        {"batch_size": 2},
        {"torch_threads": 2},
        {"image": IMAGE + 1},
    ],
    ids=str,
)
def test_whatever_changes_a_pixel_does(other: dict[str, Any]) -> None:
    assert pixels_key(plan_of(**other), "cpu") != pixels_key(plan_of(), "cpu")


def test_so_does_the_device() -> None:
    assert pixels_key(plan_of(), "cpu") != pixels_key(plan_of(), "cuda:0")


def test_statistics_are_compared_sample_by_sample() -> None:
    whole, part = plan_of().normalization, plan_of(region={"T": slice(1, 3)}).normalization
    assert same_statistics(whole, part, 1)
    assert same_statistics(part, whole, 2)
    assert not same_statistics(whole, part, 0)
    assert not same_statistics(part, whole, 3)
    brighter = plan_of(IMAGE * np.array([1, 1, 2, 1])[:, None, None, None]).normalization
    assert same_statistics(whole, brighter, 1)
    assert not same_statistics(whole, brighter, 2)
    series = plan_of(normalization="series").normalization
    assert same_statistics(series, plan_of(normalization="series").normalization, 3)


def test_statistics_of_more_samples_come_to_those_of_all() -> None:
    whole = plan_of().normalization
    parts = [plan_of(region={"T": t}).normalization for t in (2, 0, 3, 1, 2)]
    together = parts[0]
    for part in parts[1:]:
        together = with_samples(together, part)
    assert together == whole
    series = plan_of(normalization="series").normalization
    assert with_samples(series, series) == series
