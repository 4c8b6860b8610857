"""A network for one size gives the same pixels with whatever settings there are."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.prediction import PlanError

EDGE = 64


def small_net() -> nn.Module:
    """Halves the size once: period 2, and a reach of 9 px."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(4, 1, 5, padding=2),
    ).eval()


@pytest.fixture(scope="module", params=["pt2", "onnx"])
def fixed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The network, exported for 64 × 64 px."""
    path = tmp_path_factory.mktemp("fixed") / f"net.{request.param}"
    example = torch.rand(1, 1, EDGE, EDGE)
    if request.param == "pt2":
        torch.export.save(torch.export.export(small_net(), (example,)), path)
    else:
        pytest.importorskip("onnxruntime")
        with warnings.catch_warnings():
            # the exporter that needs nothing but torch is deprecated
            warnings.simplefilter("ignore")
            torch.onnx.export(small_net(), (example,), path, dynamo=False)
    model = load_model(path, device="cpu")
    assert model.geometry.sizes.step == (0, 0)
    assert model.geometry.period == (2, 2)
    return model


def reference(image: np.ndarray) -> np.ndarray:
    """The open network on the image, reflected up to the period, and up to 64 where it is less."""
    even = np.pad(image, [(0, size % 2) for size in image.shape], mode="reflect")
    full = np.pad(even, [(0, max(0, EDGE - size)) for size in even.shape], mode="reflect")
    with torch.no_grad():
        made = small_net()(torch.from_numpy(full)[None, None])[0, 0].numpy()
    return made[tuple(slice(size) for size in image.shape)]


@pytest.mark.parametrize("shape", [(151, 150), (64, 65), (131, 41), (50, 201), (30, 40)])
def test_every_setting_gives_the_same(fixed: Model, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    stack, expected = open_stack(image, "YX"), reference(image)
    for settings in (
        {},
        {"patch_size": EDGE},
        {"patch_size": tuple(EDGE if size > EDGE else size // 2 * 2 + 100 for size in shape)},
        {"patch_size": EDGE, "overlaps": 32},
        {"overlaps": 24, "blending": "linear"},
        {"overlaps": 36, "batch_size": 3},
    ):
        plan = plan_prediction(stack, fixed, normalization="none", **settings)
        assert not any("seam" in warning for warning in plan.warnings)
        for edge, size in zip(plan.patch_size, shape, strict=True):
            assert edge == EDGE or edge == size + size % 2 <= EDGE
        made = predict(stack, fixed, plan=plan)
        assert np.abs(made - expected).max() <= 1e-5 * np.ptp(expected)
    corner = {"Y": slice(shape[0] - 5, None), "X": slice(shape[1] - 5, None)}
    part = predict(stack, fixed, normalization="none", region=corner)
    assert np.abs(part - expected[-5:, -5:]).max() <= 1e-5 * np.ptp(expected)


@pytest.mark.parametrize("patch", [32, 62, 66, 128, (64, 32)])
def test_another_size_is_refused(fixed: Model, patch: int | tuple[int, int]) -> None:
    stack = open_stack(np.zeros((150, 150), np.float32), "YX")
    letter, edge = ("Y", patch) if isinstance(patch, int) else ("X", patch[1])
    wrong = rf"^patch size {letter}: {edge}: the model takes 64 px only: use 64, or leave it to "
    with pytest.raises(PlanError, match=wrong) as raised:
        plan_prediction(stack, fixed, patch_size=patch)
    assert raised.value.field == "patch_size"
