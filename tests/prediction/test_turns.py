"""Test-time augmentation: what the eight turns give, tiled and whole, and how it is joined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_tessera import PredictionPlan, load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model, ModelGeometry, ValidSizes
from napari_tessera.models.processing import MEAN
from napari_tessera.prediction import PlanError
from napari_tessera.prediction.turns import TURNS, reduction, turnable

KINDS = {
    "mean": lambda all_turns: all_turns.mean(axis=0),
    "median": lambda all_turns: np.median(all_turns, axis=0),
    "disagreement": lambda all_turns: all_turns.std(axis=0),
}


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def by_hand(model: Model, image: np.ndarray, period: int) -> np.ndarray:
    """Predictions of a ``C(Z)YX`` image in all eight turns, turned back, by NumPy alone."""
    space = [(0, -size % period) if axis else (0, 0) for axis, size in enumerate(image.shape)]
    padded = np.pad(image, space, mode="reflect")
    found = []
    for flipped in (False, True):
        for quarters in range(4):
            given = padded[..., ::-1] if flipped else padded
            given = np.ascontiguousarray(np.rot90(given, quarters, (-2, -1)))
            with torch.no_grad():
                made = model(torch.from_numpy(given)[None])[0].numpy()
            made = np.rot90(made, -quarters, (-2, -1))
            found.append(made[..., ::-1] if flipped else made)
    inside = tuple(slice(size) for size in image.shape[1:])
    return np.stack(found)[(slice(None), slice(None), *inside)]


def test_the_turns_are_the_eight_of_the_square() -> None:
    tile = torch.arange(6.0).reshape(1, 2, 3)
    turned = [turn.apply(tile) for turn in TURNS]
    assert len({(t.shape, tuple(t.ravel().tolist())) for t in turned}) == 8
    assert torch.equal(turned[0], tile)
    for turn, there in zip(TURNS, turned, strict=True):
        assert torch.equal(turn.undo(there), tile)


@given(st.integers(1, 9), st.integers(1, 5))
def test_reductions_are_those_of_numpy(count: int, size: int) -> None:
    values = 1e6 + np.random.default_rng(count).normal(size=(count, size))
    for kind, expected in KINDS.items():
        reduced = reduction(kind)
        for prediction in values:
            reduced.add(prediction)
        assert np.allclose(reduced.result, expected(values), rtol=1e-12, atol=1e-9)


def test_tiled_is_whole(unet_2d: nn.Module) -> None:
    image, model = noise((261, 210)), load_model(unet_2d)
    turns = by_hand(model, image[None], 4).astype(np.float64)
    for kind, reduce in KINDS.items():
        plan = plan_prediction(open_stack(image, "YX"), model, patch_size=256, tta=kind)
        assert plan.total_tiles == 2
        tiled = predict(open_stack(image, "YX"), model, plan=plan)
        assert np.abs(tiled - reduce(turns)[0]).max() <= 1e-6 * np.ptp(turns)


@settings(max_examples=8)
@given(
    st.tuples(st.integers(4, 90), st.integers(4, 90)),
    st.tuples(st.integers(6, 20), st.integers(6, 20)),
    st.sampled_from(sorted(KINDS)),
)
def test_tiles_that_are_not_square(
    shape: tuple[int, int], patch: tuple[int, int], kind: str
) -> None:
    image, model = noise((2, *shape)), load_model(Wide())
    turns = by_hand(model, image, 6).astype(np.float64)
    tiled = predict(
        open_stack(image, "CYX"), model, patch_size=[6 * p for p in patch], tta=kind, batch_size=2
    )
    assert np.abs(tiled - KINDS[kind](turns)).max() <= 1e-5 * np.ptp(turns)


@pytest.mark.parametrize("blending", ["linear", "gaussian"])
def test_turned_tiles_are_blended_as_exactly_as_cropped(blending: str) -> None:
    image, model = noise((2, 130, 121)), load_model(Wide())
    stack = open_stack(image, "CYX")
    cropped, blended = (
        predict(stack, model, patch_size=60, overlaps=24, tta="mean", blending=how)
        for how in ("crop", blending)
    )
    assert np.abs(blended - cropped).max() <= 1e-5 * np.ptp(cropped)


def test_volumes_are_turned_plane_by_plane() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv3d(2, 1, 3, padding=1))
    image, model = noise((9, 40, 33)), load_model(net)
    tiled = predict(open_stack(image, "ZYX"), model, patch_size=(8, 20, 16), tta="mean")
    expected = by_hand(model, image[None], 1).mean(axis=0, dtype=np.float64)[0]
    assert np.abs(tiled - expected).max() <= 1e-5 * np.ptp(expected)


class Wide(nn.Module):
    """Pools more along X than along Y, looks farther along Y, makes three channels of two."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(2, 3, (9, 3), padding=(4, 1))
        self.pool = nn.AvgPool2d((2, 3))
        self.up = nn.Upsample(scale_factor=(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + self.up(self.pool(self.conv(x)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_not_alike_in_y_and_x(kind: str) -> None:
    image, model = noise((2, 130, 121)), load_model(Wide())
    assert model.geometry.period == (2, 3)
    plan = plan_prediction(open_stack(image, "CYX"), model, patch_size=60, tta=kind)
    assert plan.alignment == (6, 6)
    assert plan.overlaps[0] == plan.overlaps[1] >= 2 * max(model.geometry.reach or ())
    assert plan.total_tiles > 4
    tiled = predict(open_stack(image, "CYX"), model, plan=plan)
    turns = by_hand(model, image, 6)
    expected = KINDS[kind](turns.astype(np.float64))
    assert tiled.shape == (3, 130, 121)
    assert np.abs(tiled - expected).max() <= 1e-5 * np.ptp(turns)


def test_reach_and_period_of_turned_tiles() -> None:
    sizes = ValidSizes((1, 4, 6), (1, 4, 6), (None, 400, 300))
    square = turnable(ModelGeometry((5, 7, 2), (1, 4, 6), 1, sizes=sizes))
    assert square.reach == (5, 7, 7)
    assert square.period == (1, 12, 12)
    assert square.largest_tile == (None, 300, 300)
    assert turnable(ModelGeometry(None, (4, 4), 1)).reach is None


def test_disagreement_is_in_grey_levels_with_no_mean(unet_2d: nn.Module) -> None:
    image = noise((90, 80)) * 20 + 1000
    stack = open_stack(image, "YX")
    settings: dict[str, Any] = {"normalization": "time_point"}
    told = predict(stack, unet_2d, tta="disagreement", **settings)
    model = load_model(unet_2d)
    plan = plan_prediction(stack, model, **settings)
    mean, std = (values[0] for values in plan.normalization.values[0])
    scaled = ((image - mean) / (std + 1e-6)).astype(np.float32)
    expected = by_hand(model, scaled[None], 4).std(axis=0, dtype=np.float64)[0] * (std + 1e-6)
    assert np.abs(told - expected).max() <= 1e-4 * expected.max()
    assert 0 < told.mean() < 100


def test_a_network_that_turns_with_its_input_agrees_with_itself() -> None:
    def blur(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(x, 3, 1, 1)

    image = noise((50, 61))
    stack = open_stack(image, "YX")
    assert predict(stack, blur, tta="disagreement").max() < 1e-6
    assert np.allclose(predict(stack, blur, tta="mean"), predict(stack, blur), atol=1e-6)


def test_pixels_that_are_not_finite_have_no_disagreement(unet_2d: nn.Module) -> None:
    image = noise((50, 60))
    image[20, 30] = np.inf
    with pytest.warns(UserWarning, match="1 pixels"):
        told = predict(open_stack(image, "YX"), unet_2d, tta="disagreement")
    assert np.isnan(told[20, 30])
    assert np.isnan(told).sum() == 1
    with pytest.warns(UserWarning, match="1 pixels"):
        mean = predict(open_stack(image, "YX"), unet_2d, tta="mean")
    assert mean[20, 30] == np.inf


def test_it_is_part_of_the_plan(unet_2d: nn.Module) -> None:
    stack, model = open_stack(noise((40, 40)), "YX"), load_model(unet_2d)
    plans = [plan_prediction(stack, model, tta=kind) for kind in ("none", *KINDS)]
    assert [plan.tta for plan in plans] == ["none", *KINDS]
    assert len({plan.fingerprint for plan in plans}) == 4
    assert PredictionPlan.from_json(plans[3].to_json()) == plans[3]
    assert plans[0].normalization.statistics[0] == MEAN


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"tta": "max"}, "tta", "test-time augmentation 'max' is none of none, mean, median,"),
        ({"tta": None}, "tta", "test-time augmentation None is none of none"),
        (
            {"tta": "disagreement", "output_dtype": "input"},
            "output_dtype",
            "the disagreement of flips is no image: uint8 would cut it to whole grey levels",
        ),
    ],
)
def test_wrong_settings(
    unet_2d: nn.Module, settings: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(PlanError) as raised:
        plan_prediction(open_stack(np.ones((40, 40), np.uint8), "YX"), unet_2d, **settings)
    assert raised.value.field == field
    assert str(raised.value).startswith(message)
