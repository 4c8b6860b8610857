"""A model of its own for each channel, planned and run as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict, predict_to_disk
from napari_tessera.models import ChannelModels, Model, ModelError
from napari_tessera.models.loaded import Loaded
from napari_tessera.models.processing import MEAN, Processing, Standardize, Undo
from napari_tessera.prediction import PlanError, PredictionPlan


class Plain(nn.Module):
    """Convolutions that look 3 px around."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.net = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 5, padding=2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class Pooled(nn.Module):
    """Pools by 4, so that it works on a grid of 4 px."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(nn.functional.avg_pool2d(x, 4), scale_factor=4)


def with_range(mean: float, std: float, seed: int = 0) -> Model:
    own = Standardize((mean,), (std,))
    network = Plain(seed).requires_grad_(False).eval()
    processing = Processing((own,), (Undo(own),))
    loaded = Loaded(
        network, f"range {mean}", "x.pt", f"{mean} {std}", "TorchScript", processing, "model"
    )
    return Model(loaded, 2, 1, device="cpu")


def picture(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)


def test_each_channel_gets_its_model() -> None:
    image = picture((3, 3, 90, 80))
    nets = {2: Plain(2), 0: Plain(0)}
    models = load_model(nets)
    assert isinstance(models, ChannelModels)
    assert models.channels == (0, 2)
    stack = open_stack(image, "TCYX")
    plan = plan_prediction(stack, models, patch_size=32, batch_size=4)
    out = predict(stack, models, plan=plan)
    assert out.shape == (3, 2, 90, 80)
    for at, channel in enumerate(models.channels):
        alone = predict(
            open_stack(image[:, channel], "TYX"), nets[channel], patch_size=32, batch_size=4
        )
        assert np.abs(out[:, at] - alone).max() <= 1e-5 * np.ptp(alone)
    again = PredictionPlan.from_json(plan.to_json())
    assert np.array_equal(predict(stack, models, plan=again), out)


def test_a_region_may_choose_among_them(tmp_path: Path) -> None:
    image = picture((3, 40, 50))
    models = load_model({0: Plain(0), 2: Plain(2)})
    stack = open_stack(image, "CYX")
    everything = predict(stack, models)
    assert np.array_equal(predict(stack, models, region={"C": 2})[0], everything[1])
    assert np.array_equal(
        predict(stack, models, region={"C": [-3], "Y": slice(9)}), everything[:1, :9]
    )
    path = predict_to_disk(stack, models, tmp_path / "out.zarr", region={"C": [2]})
    assert path.exists()
    with pytest.raises(PlanError, match="channel 1 has no model: choose out of 0, 2") as raised:
        plan_prediction(stack, models, region={"C": slice(0, 2)})
    assert raised.value.field == "area"


def test_an_image_without_channels_has_channel_0() -> None:
    stack = open_stack(picture((40, 50)), "YX")
    out = predict(stack, {0: Plain(0)})
    assert np.array_equal(out, predict(stack, Plain(0)))
    with pytest.raises(PlanError, match="a model for channel 1, the image has channel 0 alone"):
        plan_prediction(stack, {0: Plain(0), 1: Plain(1)})
    with pytest.raises(PlanError, match=r"a model for channel 7, the image has channels 0…2"):
        plan_prediction(open_stack(picture((3, 40, 50)), "CYX"), {7: Plain(0)})


def test_the_grid_suits_all_of_them() -> None:
    models = load_model({0: Plain(0), 1: Pooled()})
    assert models.geometry.period == (4, 4)
    assert models.geometry.reach == (3, 3)
    assert models.geometry.out_channels == 1
    image = picture((2, 90, 110))
    stack = open_stack(image, "CYX")
    tiled = predict(stack, models, patch_size=32)
    whole = predict(stack, models, patch_size=128)
    assert np.abs(tiled - whole).max() <= 1e-5 * np.ptp(whole)


def everything(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(dim=(-2, -1), keepdim=True)


def test_one_global_model_makes_the_whole_global() -> None:
    models = load_model({0: Plain(0), 1: everything})
    assert models.geometry.is_global
    plan = plan_prediction(open_stack(picture((2, 300, 600)), "CYX"), models, patch_size=256)
    assert plan.blending == "linear"
    assert any("looks at the whole tile" in warning for warning in plan.warnings)


def test_each_has_its_own_intensity_range() -> None:
    models = load_model({0: with_range(100, 10), 1: with_range(1000, 100)})
    image = picture((2, 40, 50))
    image[1] = 10 * image[0]
    stack = open_stack(image, "CYX")
    plan = plan_prediction(stack, models)
    assert plan.normalization.kind == "model"
    assert plan.warnings == ()
    out = predict(stack, models, plan=plan)
    assert np.allclose(out[1], 10 * out[0], rtol=1e-4)
    told = plan_prediction(open_stack(image[::-1].copy(), "CYX"), models).warnings
    assert len(told) == 4
    assert sum("in channel 0" in warning for warning in told) == 2


def test_one_that_needs_the_image_does_not_take_it_from_one_that_has_numbers() -> None:
    models = load_model({0: with_range(100, 10), 1: "builtin:denoise2d", 2: Plain(0)})
    # all periods divide these sizes: nothing is padded, together or alone
    image = picture((3, 40, 52))
    stack = open_stack(image, "CYX")
    plan = plan_prediction(stack, models)
    assert plan.normalization.kind == "time_point"
    assert plan.normalization.own_numbers
    out = predict(stack, models, plan=plan)
    for channel in range(3):
        alone = predict(open_stack(image[channel], "YX"), models.models[channel])
        assert np.abs(out[channel] - alone).max() <= 1e-5 * np.ptp(alone)
    assert np.isfinite(plan.normalization.of_sample(0, 2)[MEAN]).all()


def test_they_are_one_model_to_a_plan() -> None:
    one, other = (load_model({0: Plain(0), 1: Plain(seed)}) for seed in (1, 2))
    swapped = load_model({1: Plain(0), 0: Plain(1)})
    assert len({one.sha256, other.sha256, swapped.sha256}) == 3
    assert one.sha256 == load_model({0: Plain(0), 1: Plain(1)}).sha256
    assert one.name == "0: Plain, 1: Plain"
    assert one.source == "0: python:Plain, 1: python:Plain"
    assert sorted(one.info) == [0, 1]
    assert one.memory_per_pixel == max(m.memory_per_pixel for m in one.models.values())
    assert one.largest_per_pixel == max(m.largest_per_pixel for m in one.models.values())
    assert "0: Plain" in repr(one)
    stack = open_stack(picture((2, 40, 50)), "CYX")
    plan = plan_prediction(stack, one)
    with pytest.raises(PlanError, match="the plan is for the model"):
        predict(stack, other, plan=plan)


def test_they_move_together() -> None:
    models = load_model({0: Plain(0), 1: Plain(1)}, precision="bfloat16")
    assert models.precision == "bfloat16"
    assert load_model(models) is models
    assert load_model(models, precision="float32").precision == "float32"
    assert {m.precision for m in models.to("cpu", "float32").models.values()} == {"float32"}


class Two(nn.Module):
    """Takes, or makes, two channels."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(given, made, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def test_what_does_not_go_together() -> None:
    for models, message in (
        ({}, "no channel has one"),
        ({-1: Plain(0)}, "channel -1 cannot be loaded: it is no whole number from 0 on"),
        ({True: Plain(0)}, "channel True cannot be loaded"),
        ({"0": Plain(0)}, "channel '0' cannot be loaded"),
        ({0: Two(2, 1)}, "it takes 2 channels, and is for channel 0 alone"),
        (
            {0: Plain(0), 1: nn.Conv3d(1, 1, 3, padding=1)},
            "it is 3D and the model of channel 0 is 2D",
        ),
        (
            {0: load_model(Plain(0)), 1: load_model(Plain(0), precision="bfloat16")},
            "it is bfloat16 in its precision",
        ),
    ):
        with pytest.raises(ModelError) as raised:
            load_model(models)
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)
    with pytest.raises(ModelError, match=r"^channel 1: none.pt cannot be loaded: "):
        load_model({0: Plain(0), 1: "none.pt"})
    with pytest.raises(ModelError, match="it makes 2 channels of channel 0"):
        load_model({0: Two(1, 2)}).geometry  # noqa: B018
    upscaling = load_model({0: nn.Upsample(scale_factor=2)})
    with pytest.raises(ModelError, match="times the pixels of its input"):
        upscaling.geometry  # noqa: B018
    with pytest.raises(ModelError, match="channel 1 has no model: there is one for 0"):
        upscaling.for_channel(1)


def as_if_with_gpu(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Let "auto" be a device that every PyTorch has, and that holds no numbers."""
    other = torch.device("meta")

    def resolve(wanted: str | torch.device) -> torch.device:
        return other if wanted == "auto" else torch.device(wanted)

    monkeypatch.setattr("napari_tessera.models.placement.resolve_device", resolve)
    return other


def test_all_go_to_the_first_device_that_all_can_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    other = as_if_with_gpu(monkeypatch)
    assert load_model({0: Plain(0), 1: Plain(1)}).device == other
    mixed = load_model({0: Plain(0), 1: everything}, precision="bfloat16")
    assert {model.device for model in mixed.models.values()} == {torch.device("cpu")}
    assert mixed.precision == "bfloat16"
    assert mixed.to("auto").device == torch.device("cpu")
    alone = load_model({0: Plain(0), 1: load_model(Plain(1), device="cpu")})
    assert alone.device == other


class OnCpu:
    """A network that could be put elsewhere, had its runtime what that takes."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def placed_on(self, device: torch.device) -> OnCpu:
        raise RuntimeError("there is no such provider")


def test_one_that_stays_keeps_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    other = as_if_with_gpu(monkeypatch)
    stays = Model(Loaded(OnCpu(), "stays", "x.onnx", "0", "ONNX"), 2, 1)
    assert stays.device == torch.device("cpu")
    models = load_model({0: Plain(0), 1: stays})
    assert models.device == torch.device("cpu")
    with pytest.raises(ModelError, match="it is meta on its device and the model of channel 0 is"):
        ChannelModels({0: stays, 1: load_model(Plain(0), device=other)})


def test_info_of_all() -> None:
    models = load_model({0: Plain(0), 1: Plain(1)})
    assert models.info == {c: models.for_channel(c).info for c in (0, 1)}
