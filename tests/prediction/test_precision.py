"""``precision="auto"`` takes half precision only where the image hardly changes by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.prediction import precision
from napari_tessera.prediction.precision import fast_halves, planned_precision

NOISE = np.random.default_rng(0).normal(size=(90, 100)).astype(np.float32)


def kernel(weight: float) -> nn.Module:
    """One that both halves hold exactly is as exact as its input is rounded."""
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(layer.weight, weight)
    return layer.eval()


def decided(network: object, halves: list[str], image: np.ndarray = NOISE, **how: str) -> str:
    model = load_model(network, device="cpu", **how)  # type: ignore[call-overload]
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, model, patch_size=64)
    assert plan.precision == model.precision
    return planned_precision(plan, stack, model, halves)


def test_the_first_that_is_close_enough_is_taken() -> None:
    assert decided(kernel(0.5), ["float16"]) == "float16"
    assert decided(kernel(0.5), ["bfloat16", "float16"]) == "float16"
    assert decided(kernel(0.5), ["bfloat16"]) == "float32"
    assert decided(kernel(0.5), []) == "float32"


def test_what_overflows_is_not_taken() -> None:
    assert decided(kernel(3e4), ["float16"]) == "float32"


def test_a_precision_that_was_asked_for_stays() -> None:
    assert decided(kernel(0.5), ["float16"], precision="float32") == "float32"
    assert decided(kernel(0.5), ["float16"], precision="bfloat16") == "bfloat16"


def test_an_image_without_range_keeps_float32() -> None:
    assert decided(kernel(0.1), ["float16"], np.full((70, 70), np.nan, np.float32)) == "float32"


def test_a_model_that_fails_is_for_the_run_to_tell() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("not in half")
            return self.layer(x)

    assert decided(Failing(), ["float16"]) == "float32"


def test_the_plan_decides_and_the_run_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_halves", lambda device: ("bfloat16", "float16"))
    stack = open_stack(NOISE, "YX")
    model = load_model(kernel(0.5), device="cpu")
    plan = plan_prediction(stack, model, patch_size=64)
    assert plan.precision == "float16"
    assert model.precision == "float32"
    assert replace(plan, precision="float32").fingerprint != plan.fingerprint
    answer = predict(stack, model, plan=plan)
    half = load_model(kernel(0.5), device="cpu", precision="float16")
    exact = load_model(kernel(0.5), device="cpu", precision="float32")
    assert np.array_equal(answer, predict(stack, half, patch_size=64))
    expected = predict(stack, exact, patch_size=64)
    assert not np.array_equal(answer, expected)
    assert np.abs(answer - expected).max() <= 0.001 * np.ptp(expected)
    assert np.array_equal(predict(stack, model, patch_size=64), answer)


def test_parts_of_an_image_have_the_precision_of_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its middle decides, though what lies elsewhere would be cut by it, or not."""
    monkeypatch.setattr(precision, "fast_halves", lambda device: ("float16",))
    image = np.stack([NOISE, NOISE * 1e5, NOISE + 7, NOISE])
    model = load_model(kernel(0.5), device="cpu")
    for normalization in ("none", "time_point"):
        for pixels in (image, image[[1, 0, 1, 1]]):
            stack = open_stack(pixels, "TYX")
            found = [
                plan_prediction(
                    stack, model, patch_size=64, region=region, normalization=normalization
                ).precision
                for region in (None, {"T": 0}, {"T": [1, 3]}, {"Y": slice(0, 20)})
            ]
            assert len(set(found)) == 1, (normalization, found)
            if normalization == "none":
                overflows = np.abs(pixels[2]).max() > 1e5
                assert found[0] == ("float32" if overflows else "float16")


def test_a_model_for_each_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_halves", lambda device: ("float16",))
    stack = open_stack(np.stack([NOISE, NOISE[::-1]]), "CYX")
    models = load_model({0: kernel(0.5), 1: kernel(0.25)}, device="cpu")
    plan = plan_prediction(stack, models, patch_size=64)
    assert (plan.precision, models.precision) == ("float16", "float32")
    made = predict(stack, models, plan=plan)
    assert np.isfinite(made).all()
    models.release()
    assert np.array_equal(predict(stack, models, plan=plan), made)


def test_the_cpu_keeps_float32() -> None:
    assert fast_halves(torch.device("cpu")) == ()
    assert load_model(kernel(0.5)).precision == "float32"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_has_fast_halves() -> None:
    major, _ = torch.cuda.get_device_capability()
    assert bool(fast_halves(torch.device("cuda"))) == (major >= 7)
