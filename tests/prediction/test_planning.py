"""Every "auto" decided, every wrong setting told in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.prediction import PlanError, PredictionPlan


def stack(axes: str, shape: tuple[int, ...], dtype: str = "uint16"):
    values = np.random.default_rng(0).integers(1, 4000, shape).astype(dtype)
    return open_stack(values, axes)


def test_automatic_values_for_a_unet(unet_2d: nn.Module) -> None:
    plan = plan_prediction(stack("TZYX", (2, 3, 600, 300)), load_model(unet_2d))
    assert plan.fold == "Z"
    assert plan.patch_size == (328, 300)
    assert plan.overlaps == (56, 0)
    assert plan.alignment == (4, 4)
    assert plan.total_tiles == 6 * plan.tiles.tiles_per_sample
    assert plan.output_dtype == "float32"
    assert plan.normalization.kind == "none"


def test_an_axis_that_one_tile_covers_has_no_overlap(
    unet_2d: nn.Module, unet_3d: nn.Module
) -> None:
    plan = plan_prediction(stack("YX", (100, 600)), load_model(unet_2d))
    assert plan.patch_size == (100, 328)
    assert plan.overlaps == (0, 56)
    volume = plan_prediction(stack("ZYX", (10, 300, 200)), load_model(unet_3d))
    assert volume.fold == ""
    assert volume.patch_size == (12, 180, 200)
    assert volume.overlaps == (0, 56, 0)


def test_a_one_channel_model_runs_each_channel_by_itself(unet_2d: nn.Module) -> None:
    image = stack("CYX", (3, 40, 40), "float32")
    both = predict(image, unet_2d)
    assert both.shape == (3, 40, 40)
    for channel in range(3):
        single = predict(image, unet_2d, region={"C": channel})
        assert np.array_equal(single[0], both[channel])


class Mix(nn.Module):
    """Two channels in, three out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(2, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def test_channels_that_a_model_takes_together_are_chosen_by_the_region() -> None:
    image = stack("CYX", (4, 40, 50), "float32")
    out = predict(image, Mix(), region={"C": [0, 3], "Y": slice(0, 20)})
    assert out.shape == (3, 20, 50)
    picked = open_stack(_array(image)[[0, 3]], "CYX")
    assert np.array_equal(out, predict(picked, Mix())[:, :20])


def _array(image) -> np.ndarray:
    return image.extract_patch(0, None, (0, 0), image.data_shape[2:])


def test_json_round_trip_and_fingerprint(unet_2d: nn.Module) -> None:
    image, model = stack("TYX", (3, 300, 300)), load_model(unet_2d)
    plan = plan_prediction(
        image, model, region={"T": [0, 2], "Y": slice(10, 90)}, normalization="time_point"
    )
    again = PredictionPlan.from_json(plan.to_json())
    assert again == plan
    assert again.fingerprint == plan.fingerprint
    assert again.settings == plan.settings
    assert plan.with_settings(batch_size=3).fingerprint == plan.fingerprint
    other = plan_prediction(image, model, region={"T": [0, 2]}, normalization="time_point")
    assert other.fingerprint != plan.fingerprint
    assert set(json.loads(plan.to_json())) == {"fingerprint_of", "settings", "model_name"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"fingerprint_of": {"version": 99}}', "null", "[" * 100_000],
    ids=lambda text: text[:20],
)
def test_what_is_no_plan_is_told_so(text: str) -> None:
    with pytest.raises(PlanError, match="plan"):
        PredictionPlan.from_json(text)


@pytest.mark.parametrize(
    ("axes", "shape", "settings", "field", "message"),
    [
        (
            "YX",
            (300, 300),
            {"overlaps": 57},
            "overlaps",
            "overlap Y: 57 is no multiple of the alignment 4: use 56 or 60",
        ),
        ("YX", (300, 300), {"overlaps": -4}, "overlaps", "overlap Y: -4 is below 0; use 0 or more"),
        (
            "YX",
            (300, 300),
            {"patch_size": 64, "overlaps": 64},
            "overlaps",
            "overlap Y: 64 is not less than the patch size 64: use 60 or less, or a larger patch",
        ),
        (
            "YX",
            (300, 300),
            {"patch_size": 0, "overlaps": 0},
            "patch_size",
            "patch size Y: 0 is below 1",
        ),
        (
            "YX",
            (300, 300),
            {"patch_size": 250},
            "patch_size",
            "patch size Y: 250 is no multiple of the alignment 4: use 248 or 252",
        ),
        (
            "YX",
            (300, 300),
            {"patch_size": 40},
            "patch_size",
            "patch size Y: 40 is not more than the overlap 56 that the model needs: use 60 or more",
        ),
        (
            "ZYX",
            (9, 300, 300),
            {"patch_size": (8, 64, 64)},
            "patch_size",
            "patch size 8,64,64 has 3 numbers, tiles have 2 axes: give YX",
        ),
        (
            "YX",
            (300, 300),
            {"batch_size": 0},
            "batch_size",
            "batch size 0 is below 1; use 1 or more",
        ),
        ("YX", (300, 300), {"region": {"T": 1}}, "area", "region names axis 'T', the image has YX"),
        ("YX", (300, 300), {"region": {"Y": 300}}, "area", "region Y: 300 is outside 0…299"),
        ("YX", (300, 300), {"blending": "max"}, "blending", "blending 'max' is not available"),
        (
            "YX",
            (300, 300),
            {"normalization": "tile"},
            "normalization",
            "normalization 'tile' is none",
        ),
        (
            "YX",
            (300, 300),
            {"output_dtype": "grey"},
            "output_dtype",
            "output type 'grey' is no data type",
        ),
        (
            "YX",
            (300, 300),
            {"output_dtype": "complex64"},
            "output_dtype",
            "output type complex64 cannot hold",
        ),
    ],
)
def test_wrong_settings(
    unet_2d: nn.Module, axes: str, shape: tuple, settings: dict, field: str, message: str
) -> None:
    with pytest.raises(PlanError) as raised:
        plan_prediction(stack(axes, shape), load_model(unet_2d), **settings)
    assert raised.value.field == field
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_models_that_do_not_fit_the_image(unet_3d: nn.Module) -> None:
    with pytest.raises(PlanError, match=r"is 3D \(ZYX\), the image YX has no Z") as raised:
        plan_prediction(stack("YX", (50, 50)), load_model(unet_3d))
    assert raised.value.field == "model"
    with pytest.raises(PlanError, match="takes 2 channels and gets 3: choose 2 channels"):
        plan_prediction(stack("CYX", (3, 50, 50)), load_model(Mix()))


def test_a_plan_for_another_image_or_model_is_refused(unet_2d: nn.Module) -> None:
    image, model = stack("YX", (80, 80)), load_model(unet_2d)
    plan = plan_prediction(image, model)
    with pytest.raises(PlanError, match=r"shape \(80, 80\), this one has \(80, 81\)"):
        predict(stack("YX", (80, 81)), model, plan=plan)
    with pytest.raises(PlanError, match="other pixels"):
        predict(open_stack(np.ones((80, 80), "uint16"), "YX"), model, plan=plan)
    with pytest.raises(PlanError, match="the plan is for the model"):
        predict(image, nn.Conv2d(1, 1, 3, padding=1), plan=plan)
    with pytest.raises(PlanError, match="a plan and patch_size are given"):
        predict(image, model, plan=plan, patch_size=64)


def test_people_are_told_of_zeros_and_stripes(unet_2d: nn.Module) -> None:
    values = np.random.default_rng(0).integers(1, 200, (64, 64)).astype(np.uint8)
    values[:4] = 0
    plan = plan_prediction(open_stack(values, "YX"), load_model(unet_2d))
    assert any("6.2 % of the pixels looked at are 0" in w for w in plan.warnings)
