"""Offset and gain of a camera: what the model gets, and what comes back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.models.processing import (
    MEAN_STD,
    Affine,
    Clip,
    MatchMeanVariance,
    Operation,
    Processing,
    Rescale,
    RescaleOutput,
    Sigmoid,
    Standardize,
    Undo,
)
from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.prediction.camera import Camera, gives_levels

CAMERA: dict[str, Any] = {"camera_offset": 100, "camera_gain": 0.46}


def photons(*shape: int) -> np.ndarray:
    random = np.random.default_rng(0)
    scene = 20 + 15 * np.sin(np.arange(shape[-1]) / 9)
    return np.rint(100 + 0.46 * 50 * random.poisson(scene, shape)).astype(np.uint16)


class Root(nn.Module):
    """A network that is not linear: it minds what it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sqrt(torch.clamp(x, min=0))


def test_the_model_gets_photo_electrons_and_people_get_grey_levels() -> None:
    image = photons(40, 50)
    given: list[torch.Tensor] = []

    def root(x: torch.Tensor) -> torch.Tensor:
        given.append(x.clone())
        return torch.sqrt(torch.clamp(x, min=0))

    stack, model = open_stack(image, "YX"), load_model(root)
    plan = plan_prediction(stack, model, normalization="none", batch_size=1, **CAMERA)
    given.clear()
    made = predict(stack, model, plan=plan)
    electrons = (image.astype(float) - 100) / 0.46
    np.testing.assert_allclose(given[-1][0, 0].numpy(), electrons, rtol=2e-7, atol=1e-4)
    expected = 0.46 * np.sqrt(np.maximum(electrons, 0)) + 100
    np.testing.assert_allclose(made, expected, rtol=1e-6)
    assert made.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
@pytest.mark.parametrize("tta", ["none", "mean", "disagreement"])
def test_all_ways_to_and_from_the_model_agree(dtype: Any, tta: str) -> None:
    image = photons(40, 50).astype(dtype)
    stack, model = open_stack(image, "YX"), load_model(Root(), prepare=False)
    options: dict[str, Any] = {"normalization": "none", "tta": tta, "output_dtype": "float64"}
    made = predict(stack, model, patch_size=32, overlaps=4, **options, **CAMERA)
    electrons = open_stack((image.astype(np.float64) - 100) / 0.46, "YX")
    plain = predict(electrons, model, patch_size=32, overlaps=4, **options)
    # a spread has no offset
    expected = 0.46 * plain + (0 if tta == "disagreement" else 100)
    np.testing.assert_allclose(made, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("kind", ["auto", "series"])
def test_built_in_networks_do_not_mind_the_camera(kind: str) -> None:
    image = photons(2, 120, 110)
    stack, model = open_stack(image, "TYX"), load_model("builtin:denoise2d", device="cpu")
    plain = predict(stack, model, normalization=kind, patch_size=96)
    with_it = predict(stack, model, normalization=kind, patch_size=96, **CAMERA)
    assert np.abs(with_it - plain).max() <= 2e-6 * np.ptp(plain)


def test_numbers_of_the_model_are_in_photo_electrons() -> None:
    """Grey levels are far off what the model knows; what the camera makes them of is not."""
    image = photons(60, 70)
    model = load_model(Root(), prepare=False)
    numbers = Standardize(mean=(1000.0,), std=(800.0,))
    model = _with(model, Processing((numbers,), (Undo(numbers),)))
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, model, **CAMERA)
    assert plan.normalization.kind == "model"
    electrons = (image.astype(float) - 100) / 0.46
    expected = np.sqrt(np.maximum((electrons - 1000) / 800, 0)) * 800 + 1000
    made = predict(stack, model, plan=plan)
    np.testing.assert_allclose(made, 0.46 * expected + 100, rtol=1e-5)
    near = {"camera_offset": 100, "camera_gain": 0.46}
    far = {"camera_offset": 100, "camera_gain": 46}
    assert not any("off" in text for text in plan_prediction(stack, model, **near).warnings)
    assert any("times off" in text for text in plan_prediction(stack, model, **far).warnings)


def _with(model: Model, processing: Processing) -> Model:
    """The model as if its file had said what is done to grey levels."""
    return Model(replace(model.loaded, processing=processing), 2, 1, device="cpu")


@pytest.mark.parametrize(
    ("before", "after", "gives"),
    [
        ((), (), True),
        ((Clip(low=0.0),), (Clip(low=0.0),), True),
        ((Standardize(),), (Undo(Standardize()),), True),
        ((Standardize(),), (Affine((2.0,), (1.0,)), Clip(low=0.0)), True),
        ((Rescale(),), (MatchMeanVariance(),), True),
        ((Standardize(),), (), False),
        ((Rescale(),), (Clip(low=0.0, high=1.0),), False),
        ((Standardize(),), (Sigmoid(), Affine((255.0,))), False),
        ((), (RescaleOutput(),), False),
    ],
)
def test_only_levels_of_the_image_become_grey_levels(
    before: tuple[Operation, ...], after: tuple[Operation, ...], gives: bool
) -> None:
    assert gives_levels(Processing(before, after)) is gives


def test_probabilities_stay_probabilities() -> None:
    image = photons(40, 50)
    model = _with(load_model(Root(), prepare=False), Processing((Standardize(),), (Sigmoid(),)))
    made = predict(open_stack(image, "YX"), model, **CAMERA)
    plain = predict(open_stack(image, "YX"), model)
    np.testing.assert_allclose(made, plain, atol=1e-5)
    assert made.max() <= 1


def test_numbers_that_change_nothing_are_none() -> None:
    stack, model = open_stack(photons(30, 30), "YX"), load_model(Root(), prepare=False)
    plain = plan_prediction(stack, model)
    none = plan_prediction(
        stack, model, camera_offset=np.float32(0), camera_gain=1, hot_pixels="keep"
    )
    assert none.fingerprint == plain.fingerprint
    assert none == plain
    assert "camera" not in plain.to_json()
    assert "hot_pixels" not in plain.to_json()
    assert Camera.of_numbers(none.camera_offset, none.camera_gain) is None
    assert Camera.of_numbers(None, 2.0) == Camera(0.0, 2.0)
    assert Camera.of_numbers(5.0, None) == Camera(5.0, 1.0)


@pytest.mark.parametrize(
    "option",
    [
        {"camera_offset": 100},
        {"camera_gain": 2},
        {"camera_offset": -1.5},
        {"hot_pixels": "replace"},
    ],
)
def test_each_option_is_part_of_the_fingerprint_and_of_the_stored_plan(
    option: dict[str, Any],
) -> None:
    stack, model = open_stack(photons(30, 30), "YX"), load_model(Root(), prepare=False)
    plan = plan_prediction(stack, model, **option)
    assert plan.fingerprint != plan_prediction(stack, model).fingerprint
    again = PredictionPlan.from_json(plan.to_json())
    assert again == plan
    assert again.fingerprint == plan.fingerprint
    assert '"version": 5' in plan.to_json()
    inside = plan_prediction(stack, model, inside=[[(2, 2), (2, 9), (9, 9)]], **option)
    assert PredictionPlan.from_json(inside.to_json()).fingerprint == inside.fingerprint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("camera_gain", 0), ("camera_gain", -3.0), ("camera_gain", float("nan")),
        ("camera_gain", float("inf")), ("camera_offset", float("-inf")), ("camera_offset", "NaN"),
    ],
)  # fmt: skip
def test_a_stored_plan_with_numbers_that_cannot_be_is_refused(name: str, value: object) -> None:
    stack, model = open_stack(photons(30, 30), "YX"), load_model(Root(), prepare=False)
    stored = plan_prediction(stack, model, hot_pixels="replace").to_dict()
    stored["fingerprint_of"][name] = value
    with pytest.raises(PlanError, match="no prediction plan, or a damaged one") as error:
        PredictionPlan.from_json(json.dumps(stored))
    assert error.value.field == "plan"


def test_a_plan_of_before_has_the_fingerprint_of_before() -> None:
    """Written by the version before these options, with its fingerprint."""
    stack, model = open_stack(photons(30, 30), "YX"), load_model(Root(), prepare=False)
    stored = plan_prediction(stack, model).to_dict()
    assert set(stored["fingerprint_of"]) == {
        "version", "input_axes", "input_shape", "input_dtype", "input_fingerprint",
        "model_sha256", "precision", "fold", "input_channels", "output_channels",
        "region_selection", "patch_size", "overlaps", "alignment", "blending", "normalization",
        "output_dtype", "tta", "insets",
    }  # fmt: skip
    assert stored["fingerprint_of"]["version"] == 3
    text = json.dumps(stored["fingerprint_of"], sort_keys=True, separators=(",", ":"))
    plan = PredictionPlan.from_json(json.dumps(stored))
    assert plan.fingerprint == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"camera_gain": 0}, "camera_gain", "camera gain 0 is not above 0; give grey levels per"),
        ({"camera_gain": -2.5}, "camera_gain", "camera gain -2.5 is not above 0"),
        ({"camera_gain": float("nan")}, "camera_gain", "camera gain nan is not finite"),
        ({"camera_gain": 1e-12}, "camera_gain", "camera gain 1e-12 is not from 1e-09 to 1e\\+09"),
        ({"camera_gain": "0.5"}, "camera_gain", "camera gain '0.5' is no number"),
        ({"camera_gain": True}, "camera_gain", "camera gain True is no number"),
        ({"camera_offset": float("inf")}, "camera_offset", "camera offset inf is not finite"),
        ({"camera_offset": 10**400}, "camera_offset", "camera offset is too large"),
        ({"camera_offset": 1e15}, "camera_offset", "is beyond 1e\\+12; give grey levels"),
        ({"camera_offset": [100]}, "camera_offset", r"camera offset \[100\] is no number"),
    ],
)
def test_numbers_that_cannot_be_are_refused_with_a_way_out(
    options: dict[str, Any], field: str, message: str
) -> None:
    stack, model = open_stack(photons(30, 30), "YX"), load_model(Root(), prepare=False)
    with pytest.raises(PlanError, match=message) as error:
        plan_prediction(stack, model, **options)
    assert error.value.field == field
    assert "\n" not in str(error.value)


def test_mean_and_deviation_are_those_of_electrons() -> None:
    plan = plan_prediction(open_stack(photons(50, 60), "YX"), load_model(Root(), prepare=False))
    levels = plan.normalization.of_sample(0)
    electrons = Camera(100.0, 0.46).electrons(levels)
    for statistic in levels.values:
        offset = 0 if statistic.kind == "std" else 100
        expected = (levels[statistic] - offset) / 0.46
        np.testing.assert_allclose(electrons[statistic], expected)
    resolved = MEAN_STD.resolve(electrons, 1, 1)
    around = Camera(100.0, 0.46).around(resolved, restores=True)
    plain = MEAN_STD.resolve(levels, 1, 1)
    for name in ("subtract", "divide", "multiply", "add"):
        np.testing.assert_allclose(getattr(around, name), getattr(plain, name), rtol=1e-6)
