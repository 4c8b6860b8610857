"""Cases that once gave wrong pixels: each against an expectation computed another way."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import (
    PredictionPlan,
    load_model,
    open_stack,
    plan_prediction,
    predict,
)
from napari_tessera.models import ModelError
from napari_tessera.models.processing import MEAN
from napari_tessera.prediction import PlanError


def plain_net(dims: int, layers: int = 6) -> nn.Module:
    """Convolutions without pooling: period 1, reach = layers."""
    torch.manual_seed(0)
    conv = nn.Conv2d if dims == 2 else nn.Conv3d
    steps: list[nn.Module] = [conv(1, 4, 3, padding=1), nn.ReLU()]
    for _ in range(layers - 2):
        steps += [conv(4, 4, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*steps, conv(4, 1, 3, padding=1)).eval()


def whole(net: nn.Module, image: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.from_numpy(image)[None, None])[0, 0].numpy()


@pytest.mark.parametrize("shape", [(5, 64, 64), (1, 40, 50), (2, 30, 300), (3, 1, 2)])
def test_few_planes_see_the_edges_of_the_whole_image(shape: tuple[int, ...]) -> None:
    net = plain_net(3)
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    plan = plan_prediction(open_stack(image, "ZYX"), net)
    assert plan.patch_size[0] == shape[0]
    expected = whole(net, image)
    tiled = predict(open_stack(image, "ZYX"), net, plan=plan)
    assert np.abs(tiled - expected).max() <= 1e-5 * np.ptp(expected)


def test_a_tile_larger_than_the_image_is_cut_to_it() -> None:
    net = plain_net(2)
    image = np.random.default_rng(0).normal(size=(40, 61)).astype(np.float32)
    plan = plan_prediction(open_stack(image, "YX"), net, patch_size=(512, 300), overlaps=(20, 30))
    assert plan.patch_size == (40, 61)
    assert plan.overlaps == (0, 0)
    assert np.allclose(
        predict(open_stack(image, "YX"), net, plan=plan), whole(net, image), atol=1e-6
    )


@pytest.mark.parametrize("kind", ["time_point", "series"])
def test_a_preview_has_the_very_pixels_of_a_full_run(kind: str) -> None:
    rng = np.random.default_rng(0)
    # Larger than what is read whole, and many: the subsample must not depend on the area.
    image = rng.normal(100, 10, (40, 520, 530)).astype(np.float32)
    image += np.arange(40, dtype=np.float32)[:, None, None]
    stack, net = open_stack(image, "TYX"), plain_net(2, 3)
    alone = predict(stack, net, normalization=kind, region={"T": 5})
    several = predict(stack, net, normalization=kind, region={"T": slice(3, 9)})
    assert np.array_equal(alone[0], several[2])


def test_neighbours_share_statistics_in_a_very_long_series() -> None:
    frames = np.arange(5000, dtype=np.float32)[:, None, None] * np.ones((8, 8), np.float32)
    stack, net = open_stack(frames, "TYX"), plain_net(2, 2)
    plan = plan_prediction(stack, net, normalization="time_point")
    assert len(plan.normalization.samples) <= 2048
    last = plan_prediction(stack, net, normalization="time_point", region={"T": 4999})
    mean = plan.normalization.of_sample(4999, 0)[MEAN]
    assert last.normalization.of_sample(4999, 0)[MEAN] == mean
    assert mean == pytest.approx(4999, abs=5)


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint32", "int64"])
@pytest.mark.parametrize("offset", [1e7, 1e9])
def test_a_large_offset_does_not_drown_the_signal(dtype: str, offset: float) -> None:
    rng = np.random.default_rng(0)
    signal = np.rint(rng.normal(0, 50, (80, 90)))
    net = plain_net(2, 3)
    settings: dict[str, Any] = {"normalization": "time_point", "output_dtype": "float64"}
    near = predict(open_stack(signal, "YX"), net, **settings)
    far = predict(open_stack((signal + offset).astype(dtype), "YX"), net, **settings)
    assert np.abs(far - offset - near).max() < 1e-2


def test_a_value_that_float32_cannot_hold_stays_local() -> None:
    image = np.random.default_rng(0).normal(100, 10, (60, 60))
    image[30, 30] = 1e300
    with pytest.warns(
        UserWarning, match="1 pixels of the image are NaN, infinite or beyond float32"
    ):
        out = predict(
            open_stack(image, "YX"),
            plain_net(2, 3),
            normalization="time_point",
            output_dtype="input",
        )
    assert out[30, 30] == 1e300
    assert np.isfinite(np.delete(out.ravel(), 30 * 60 + 30)).all()


def test_channels_go_to_the_model_in_the_order_asked_for() -> None:
    image = np.random.default_rng(0).normal(size=(4, 30, 30)).astype(np.float32)

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 1, 1, bias=False)
            self.conv.weight.data = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)

    stack = open_stack(image, "CYX")
    assert np.array_equal(predict(stack, First(), region={"C": [3, 0]})[0], image[3])
    assert np.array_equal(predict(stack, First(), region={"C": [-4, -1]})[0], image[0])
    with pytest.raises(PlanError, match="names a channel twice"):
        plan_prediction(stack, First(), region={"C": [1, 1]})


def test_a_model_that_answers_otherwise_for_some_tiles_is_an_error() -> None:
    image = np.zeros((150, 150), np.float32)
    image[120:, 120:] = 300

    def moody(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x], dim=1) if float(x.max()) > 250 else x

    with pytest.raises(ModelError, match="must answer alike for every tile"):
        predict(open_stack(image, "YX"), moody, patch_size=100, overlaps=0)


def test_a_function_may_use_gradients() -> None:
    image = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)

    def descend(x: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            y = x.clone().requires_grad_(True)
            (y**2).sum().backward()
        assert y.grad is not None
        return x - y.grad / 4

    assert np.allclose(predict(open_stack(image, "YX"), descend), image / 2)


def test_a_batch_is_not_larger_than_the_run() -> None:
    plan = plan_prediction(open_stack(np.ones((30, 30)), "YX"), plain_net(2), batch_size=10**6)
    assert plan.settings.batch_size == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_size": 32.0}, "patch size 32.0 is not a whole number"),
        ({"patch_size": "32"}, "patch size '32' is not a whole number"),
        ({"patch_size": (32, "auto")}, "patch size 'auto' is not a whole number"),
        ({"patch_size": None}, "patch size None is not a whole number"),
        ({"patch_size": True}, "patch size True is not a whole number"),
        ({"overlaps": np.float64(4)}, "overlaps np.float64(4.0) is not a whole number"),
        ({"batch_size": 2.7}, "batch size 2.7 is not a whole number"),
        ({"batch_size": -2}, "batch size -2 is below 1"),
        ({"reader_threads": "2"}, "threads '2' is not a whole number"),
        ({"reader_threads": 10**30}, f"reader threads {10**30} is above 1024; use fewer"),
        ({"torch_threads": 1025}, "torch threads 1025 is above 1024; use fewer"),
        ({"torch_threads": 1.5}, "threads 1.5 is not a whole number"),
        ({"output_dtype": None}, "output dtype None is no dtype"),
        ({"output_dtype": "f4,("}, "output type 'f4,(' is no data type; use float32"),
        ({"region": 5}, "region 5 is no mapping"),
        ({"region": {5: 1}}, "region names axis 5, the image has YX"),
        ({"region": {"YX": 1}}, "region names axis 'YX', the image has YX"),
        ({"region": {"Y": 2.5}}, "region Y: 2.5 is no index"),
        ({"region": {"Y": True}}, "region Y: True is no index"),
        ({"region": {"Y": np.arange(40) > 30}}, "region Y: np.False_ is no index"),
        ({"region": {"Y": slice(0.0, 3.0)}}, "region Y: 0.0…3.0 are no whole numbers"),
        ({"region": {"Y": "0:3"}}, "region Y: '0:3' is no index"),
    ],
)
def test_arguments_of_the_wrong_kind(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as raised:
        plan_prediction(open_stack(np.ones((40, 40)), "YX"), plain_net(2, 2), **settings)
    assert str(raised.value).startswith(message)


def test_numbers_of_numpy_are_numbers() -> None:
    plan = plan_prediction(
        open_stack(np.ones((90, 90)), "YX"),
        plain_net(2, 2),
        patch_size=np.array([32, 40]),
        overlaps=np.int64(8),
        reader_threads=np.int64(2),
        torch_threads=np.int64(1),
        region={"Y": np.int64(3), "X": slice(np.int64(2), None)},
    )
    assert plan.patch_size == (32, 40)
    assert PredictionPlan.from_json(plan.to_json()) == plan


def damaged(plan: PredictionPlan, **changes: Any) -> str:
    data = plan.to_dict()
    for name, value in changes.items():
        part = "settings" if name in data["settings"] else "fingerprint_of"
        data[part][name] = value
    return json.dumps(data)


def ranges(**changes: Any) -> dict[str, Any]:
    """A normalization as it stands in a plan of an image of one channel, or a damaged one."""
    mean = {"kind": "mean", "fraction": 0.0, "pooled": False}
    whole = {
        "kind": "none",
        "samples": [],
        "statistics": [mean],
        "values": [[[1.0]]],
        "own_numbers": True,
        "measured": "sample",
        "quantile_error": None,
    }
    return {"normalization": {**whole, **changes}}


def test_the_ranges_that_are_damaged_below_are_whole() -> None:
    plan = plan_prediction(open_stack(np.ones((90, 90)), "YX"), plain_net(2, 2), patch_size=64)
    PredictionPlan.from_json(damaged(plan, **ranges()))


@pytest.mark.parametrize(
    "changes",
    [
        {"output_dtype": "complex64"},
        {"batch_size": None},
        {"torch_threads": 1.5},
        {"input_channels": [5]},
        {"blending": "max"},
        {"tta": "mode"},
        {"patch_size": [63, 63], "overlaps": [0]},
        {"patch_size": [500, 500]},
        {"fold": "Q"},
        {"input_shape": [0, 3]},
        {"input_shape": [2**70, 90]},
        {"output_dtype": "f4,("},
        ranges(values=[[[10**400]]]),
        {"region_selection": {"T": [3]}},
        ranges(kind="bogus"),
        ranges(measured="guessed"),
        ranges(values=[]),
        ranges(values=[[[1.0, 1.0]]]),
        ranges(values=[[[1.0], [1.0]]]),
        ranges(values=[[[None]]]),
        ranges(values=[[[float("nan")]]]),
        ranges(statistics=[{"kind": "std", "fraction": 0.0, "pooled": False}]),
        ranges(statistics=[]),
        ranges(kind="time_point"),
        ranges(kind="time_point", samples=[3]),
        ranges(kind="time_point", samples=[0, 0], values=[[[1.0]], [[1.0]]]),
        {"normalization": {"kind": "none", "samples": [], "means": [[0.0]], "stds": [[1.0]]}},
    ],
)
def test_a_damaged_plan_is_refused_when_it_is_read(changes: dict[str, Any]) -> None:
    plan = plan_prediction(open_stack(np.ones((90, 90)), "YX"), plain_net(2, 2), patch_size=64)
    assert PredictionPlan.from_json(damaged(plan)) == plan
    with pytest.raises(PlanError) as raised:
        PredictionPlan.from_json(damaged(plan, **changes))
    assert "\n" not in str(raised.value)


def test_a_plan_of_any_number_of_time_points_is_read_without_listing_them() -> None:
    stack = open_stack(np.ones((3, 90, 90)), "TYX")
    plan = plan_prediction(stack, plain_net(2, 2), patch_size=64)
    read = PredictionPlan.from_json(damaged(plan, input_shape=[2**40, 90, 90]))
    assert read.total_tiles == 2**40 * 4


def test_a_plan_decides_the_precision() -> None:
    image = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    stack, net = open_stack(image, "YX"), plain_net(2, 3)
    half = load_model(net, precision="bfloat16")
    plan = plan_prediction(stack, half)
    expected = predict(stack, half, plan=plan)
    assert not np.array_equal(expected, predict(stack, net))
    assert np.array_equal(predict(stack, net, plan=plan), expected)


def test_a_plan_whose_tiles_do_not_suit_the_model_is_refused(unet_2d: nn.Module) -> None:
    stack, model = open_stack(np.ones((90, 90), np.float32), "YX"), load_model(unet_2d)
    plan = plan_prediction(stack, model, patch_size=64)
    more = PredictionPlan.from_json(damaged(plan, output_channels=7))
    with pytest.raises(PlanError, match="a model that makes 7 channels, UNet makes 1"):
        predict(stack, model, plan=more)
    odd = PredictionPlan.from_json(
        damaged(plan, alignment=[1, 1], patch_size=[63, 63], overlaps=[0, 0])
    )
    with pytest.raises(PlanError, match="alignment Y 1 is no multiple of the model's period 4"):
        predict(stack, model, plan=odd)
