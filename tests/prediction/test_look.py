"""Which intensity range a model works in, and what people are told of the image's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import PredictionPlan, load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.models.loaded import Loaded
from napari_tessera.models.processing import (
    MEAN,
    STD,
    Affine,
    Binarize,
    Clip,
    EnsureDtype,
    MatchMeanVariance,
    Operation,
    Processing,
    Rescale,
    RescaleOutput,
    Sigmoid,
    Standardize,
    StandardizeOutput,
    Undo,
    quantile,
)
from napari_tessera.prediction import PlanError


def made(
    before: tuple[Operation, ...] = (),
    after: tuple[Operation, ...] = (),
    *,
    network: nn.Module | None = None,
    channels: int = 1,
    scope: str = "time_point",
) -> Model:
    """A model as a file with this processing would give it."""
    torch.manual_seed(0)
    network = network or nn.Conv2d(channels, channels, 3, padding=1)
    for weights in network.parameters():
        weights.requires_grad_(False)
    loaded = Loaded(
        network.eval(),
        "made.pt",
        "made.pt",
        f"{before}{after}",
        "TorchScript",
        Processing(before, after, scope),
        "model",
        spatial_dims=2,
        in_channels=channels,
    )
    return Model(loaded, 2, channels, device="cpu")


def picture(shape: tuple[int, ...] = (60, 70), mean: float = 100, std: float = 10) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, std, shape).astype(np.float32)


OWN = Standardize((100.0,), (10.0,))
IMAGES = Standardize()
IMAGES_RANGE = Rescale(low_fraction=0.02, high_fraction=0.998)


@pytest.mark.parametrize(
    ("model", "asked", "kind", "own_numbers"),
    [
        (lambda: made((OWN,), (Undo(OWN),)), "auto", "model", True),
        (lambda: made((OWN,), (Undo(OWN),)), "model", "model", True),
        (lambda: made((OWN,), (Undo(OWN),)), "series", "series", False),
        (lambda: made((OWN,), (Undo(OWN),)), "none", "none", False),
        (lambda: made((IMAGES,)), "auto", "time_point", True),
        (lambda: made((IMAGES,), scope="series"), "auto", "series", True),
        (lambda: made((Affine((2.0,)),)), "auto", "model", True),
        (lambda: load_model("builtin:denoise2d"), "auto", "time_point", True),
        (lambda: load_model("builtin:denoise2d"), "series", "series", False),
        (lambda: load_model(nn.Conv2d(1, 1, 1)), "auto", "none", True),
        (lambda: load_model(nn.Conv2d(1, 1, 1)), "time_point", "time_point", False),
    ],
)
def test_what_is_chosen(
    model: Callable[[], Model], asked: str, kind: str, own_numbers: bool
) -> None:
    plan = plan_prediction(open_stack(picture(), "YX"), model(), normalization=asked)
    assert (plan.normalization.kind, plan.normalization.own_numbers) == (kind, own_numbers)
    assert PredictionPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("model", [lambda: made((IMAGES,)), lambda: load_model(nn.Conv2d(1, 1, 1))])
def test_a_model_with_no_numbers_of_its_own(model: Callable[[], Model]) -> None:
    with pytest.raises(PlanError, match="has no intensity range of its own: use") as raised:
        plan_prediction(open_stack(picture(), "YX"), model(), normalization="model")
    assert raised.value.field == "normalization"


def test_wrong_statistics() -> None:
    with pytest.raises(PlanError, match="statistics 'all' is none of sample, exact") as raised:
        plan_prediction(open_stack(picture(), "YX"), made(), statistics="all")
    assert raised.value.field == "statistics"


def by_hand(model: Model, image: np.ndarray) -> np.ndarray:
    """What the network makes of a float64 ``CYX`` image."""
    given = torch.from_numpy(image.astype(np.float32))[None]
    return model(given)[0].numpy().astype(np.float64)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


CASES: dict[str, tuple[Any, Any, Callable[[Model, np.ndarray], np.ndarray]]] = {
    "own mean and std": (
        (OWN,),
        (Undo(OWN),),
        lambda m, x: by_hand(m, (x - 100) / (10 + 1e-6)) * (10 + 1e-6) + 100,
    ),
    "mean and std of the image": (
        (IMAGES,),
        (Undo(IMAGES),),
        lambda m, x: by_hand(m, (x - x.mean()) / (x.std() + 1e-6)) * (x.std() + 1e-6) + x.mean(),
    ),
    "target range": (
        (OWN,),
        (Undo(Standardize((5.0,), (2.0,), eps=0)),),
        lambda m, x: by_hand(m, (x - 100) / (10 + 1e-6)) * 2 + 5,
    ),
    "quantiles, clipped, probabilities": (
        (IMAGES_RANGE, Clip(0.0, 1.0)),
        (Sigmoid(),),
        lambda m, x: sigmoid(
            by_hand(
                m,
                np.clip(
                    (x - np.quantile(x, 0.02))
                    / (np.quantile(x, 0.998) - np.quantile(x, 0.02) + 1e-8),
                    0,
                    1,
                ),
            )
        ),
    ),
    "scaled, then by the statistics of what is scaled": (
        (Affine((2.0,), (7.0,)), IMAGES),
        (Affine((3.0,), (-1.0,)),),
        lambda m, x: by_hand(m, (2 * x + 7 - (2 * x + 7).mean()) / ((2 * x).std() + 1e-6)) * 3 - 1,
    ),
    "a mask": (
        (EnsureDtype("float32"), OWN),
        (Sigmoid(), Binarize((0.5,))),
        lambda m, x: (sigmoid(by_hand(m, (x - 100) / (10 + 1e-6))) > 0.5).astype(np.float64),
    ),
    "output as image": (
        (OWN,),
        (MatchMeanVariance(),),
        lambda m, x: _matched(by_hand(m, (x - 100) / (10 + 1e-6)), x),
    ),
    "output standardized": (
        (OWN,),
        (StandardizeOutput(),),
        lambda m, x: _standardized(by_hand(m, (x - 100) / (10 + 1e-6))),
    ),
    "output rescaled": (
        (OWN,),
        (RescaleOutput(0.01, 0.99),),
        lambda m, x: _rescaled(by_hand(m, (x - 100) / (10 + 1e-6))),
    ),
}


def _standardized(y: np.ndarray) -> np.ndarray:
    return (y - y.mean()) / (y.std() + 1e-6)


def _matched(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return _standardized(y) * (x.std() + 1e-6) + x.mean()


def _rescaled(y: np.ndarray) -> np.ndarray:
    low, high = np.quantile(y, [0.01, 0.99])
    return (y - low) / (high - low + 1e-6)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("statistics", ["sample", "exact"])
def test_every_step_before_and_after(case: str, statistics: str) -> None:
    before, after, expected = CASES[case]
    model, image = made(before, after), picture()
    out = predict(open_stack(image, "YX"), model, statistics=statistics)
    wanted = expected(model, image.astype(np.float64)[None])[0]
    assert np.abs(out - wanted).max() <= 1e-5 * np.ptp(wanted)


def test_steps_are_tiled_as_they_are_whole() -> None:
    before, after, _ = CASES["quantiles, clipped, probabilities"]
    model, image = made(before, after), picture((150, 170))
    whole = predict(open_stack(image, "YX"), model, patch_size=256)
    tiled = predict(open_stack(image, "YX"), model, patch_size=48, batch_size=3)
    assert np.abs(tiled - whole).max() <= 1e-6


def test_statistics_are_of_each_channel_and_time_point_in_mixed_batches() -> None:
    model = made((IMAGES_RANGE,), (Undo(IMAGES_RANGE),))
    image = picture((3, 2, 40, 50)) * np.arange(1, 7).reshape(3, 2, 1, 1)
    out = predict(open_stack(image, "TCYX"), model, patch_size=32, batch_size=4)
    for t in range(3):
        for c in range(2):
            alone = predict(open_stack(image[t, c], "YX"), model, patch_size=32, batch_size=4)
            assert np.allclose(out[t, c], alone, rtol=1e-6)


def test_statistics_of_all_channels_as_one() -> None:
    pooled = Standardize(pooled=True)
    model = made((pooled,), (Undo(pooled),), channels=2)
    image = picture((2, 40, 50))
    image[1] *= 3
    x = image.astype(np.float64)
    expected = by_hand(model, (x - x.mean()) / (x.std() + 1e-6)) * (x.std() + 1e-6) + x.mean()
    out = predict(open_stack(image, "CYX"), model)
    assert np.abs(out - expected).max() <= 1e-5 * np.ptp(expected)


def test_a_large_offset_is_subtracted_before_anything_is_rounded() -> None:
    model = made((IMAGES_RANGE,), (Undo(IMAGES_RANGE),))
    signal = np.rint(picture((40, 50), 0, 50)).astype(np.float64)
    near = predict(open_stack(signal, "YX"), model, output_dtype="float64")
    far = predict(open_stack(signal + 1e9, "YX"), model, output_dtype="float64")
    assert np.abs(far - 1e9 - near).max() < 1e-3


def test_pixels_that_are_not_finite_are_the_mean_to_the_network() -> None:
    image = picture()
    image[20, 20] = np.nan
    model = made((IMAGES_RANGE, Clip(-5.0, 5.0)), (Undo(IMAGES_RANGE),))
    filled = np.where(np.isnan(image), np.nanmean(image, dtype=np.float64), image)
    with pytest.warns(UserWarning, match="1 pixels"):
        out = predict(open_stack(image, "YX"), model)
    assert np.isnan(out[20, 20])
    expected = predict(open_stack(filled, "YX"), model)
    assert np.nanmax(np.abs(out - expected)) < 0.05


WHOLE = made((OWN,), (MatchMeanVariance(),))


def test_what_needs_all_of_the_output_needs_one_tile() -> None:
    image = picture((100, 130))
    with pytest.raises(PlanError, match="use tiles of at least Y 100 X 130, or norm") as raised:
        plan_prediction(open_stack(image, "YX"), WHOLE, patch_size=64)
    assert raised.value.field == "patch_size"
    assert plan_prediction(open_stack(image, "YX"), WHOLE, patch_size=64, normalization="none")
    with pytest.raises(PlanError, match="predict planes one by one") as raised:
        plan_prediction(open_stack(picture((3, 60, 70)), "ZYX"), WHOLE)
    assert raised.value.field == "normalization"
    assert plan_prediction(open_stack(picture((3, 60, 70)), "TYX"), WHOLE).total_tiles == 3


def test_numbers_that_cannot_be_known() -> None:
    model = made((Clip(0.0, 1.0), IMAGES))
    with pytest.raises(PlanError, match=r"cannot be had of this image: the mean is not") as raised:
        plan_prediction(open_stack(picture(), "YX"), model)
    assert raised.value.field == "normalization"
    model = made((Standardize((1.0, 2.0), (1.0, 2.0)),))
    with pytest.raises(PlanError, match=r"2 numbers for 1 channels"):
        plan_prediction(open_stack(picture(), "YX"), model)


def test_an_image_of_one_grey_level() -> None:
    flat = np.full((40, 50), 7, np.uint8)
    for operation in (IMAGES, IMAGES_RANGE):
        out = predict(open_stack(flat, "YX"), made((operation,), (Undo(operation),)))
        assert np.allclose(out, 7, atol=1e-4)
    exact = Standardize(eps=0)
    with pytest.raises(PlanError, match="grey levels all alike"):
        plan_prediction(open_stack(flat, "YX"), made((exact,), (Undo(exact),)))


def test_a_plan_without_what_the_model_needs_is_refused() -> None:
    stack, model = open_stack(picture(), "YX"), made((IMAGES_RANGE,))
    plan = plan_prediction(stack, model)
    ranges = plan.normalization.to_json()
    data = plan.to_dict()
    data["fingerprint_of"]["normalization"] = {
        **ranges,
        "statistics": ranges["statistics"][:2],
        "values": [row[:2] for row in ranges["values"]],
    }
    cut = PredictionPlan.from_json(json.dumps(data))
    with pytest.raises(PlanError, match=r"quantile 0\.02 is not known"):
        predict(stack, model, plan=cut)


def test_exact_statistics_are_in_the_plan() -> None:
    stack, model = open_stack(picture((600, 700)), "YX"), made((IMAGES_RANGE,))
    sampled, exact = (
        plan_prediction(stack, model, statistics=how).normalization for how in ("sample", "exact")
    )
    assert (sampled.measured, sampled.quantile_error) == ("sample", None)
    assert (exact.measured, exact.quantile_error) == ("exact", 0.0)
    assert exact.statistics == (MEAN, STD, quantile(0.02), quantile(0.998))
    image = picture((600, 700)).astype(np.float64)
    expected = [image.mean(), image.std(), *np.quantile(image, [0.02, 0.998])]
    assert np.allclose([v for (v,) in exact.values[0]], expected)


def warned(model: Model, image: np.ndarray, axes: str = "YX", **settings: Any) -> list[str]:
    plan = plan_prediction(open_stack(image, axes), model, **settings)
    return [warning for warning in plan.warnings if "3 times off" in warning]


@pytest.mark.parametrize(
    ("mean", "std", "what"),
    [
        (100, 10, []),
        (290, 10, []),
        (40, 10, []),
        (310, 10, ["mean"]),
        (30, 10, ["mean"]),
        (-100, 10, ["mean"]),
        (100, 35, ["standard deviation"]),
        (100, 3, ["standard deviation"]),
        (5000, 500, ["mean", "standard deviation"]),
    ],
)
def test_grey_levels_far_off_the_models_are_told(mean: float, std: float, what: list[str]) -> None:
    lines = warned(made((OWN,), (Undo(OWN),)), picture((60, 70), mean, std))
    assert len(lines) == len(what)
    for line, name in zip(lines, what, strict=True):
        assert line.startswith(f"the image's {name} (")
        assert "\n" not in line


def test_grey_levels_are_told_without_powers_of_ten() -> None:
    own = Standardize((12_345.0,), (10.0,))
    (line,) = warned(made((own,)), picture((60, 70), 2390, 10))
    assert "(2390)" in line
    assert "(12300)" in line


def test_means_near_0_are_alike() -> None:
    own = Standardize((0.01,), (1.0,))
    assert warned(made((own,)), picture((60, 70), 0.0, 1.0)) == []
    assert len(warned(made((own,)), np.zeros((60, 70), np.float32))) == 1


def test_of_an_image_without_a_finite_pixel_nothing_is_said() -> None:
    assert warned(made((OWN,), (Undo(OWN),)), np.full((60, 70), np.nan, np.float32)) == []


def test_a_range_far_off_the_models_is_told() -> None:
    own = Rescale((0.0,), (60.0,), low_fraction=0.02, high_fraction=0.998)
    assert warned(made((own,)), picture()) == []
    (line,) = warned(made((own,)), picture(std=100))
    assert line.startswith("the image's range (")


def test_the_channel_that_is_off_is_named_and_only_where_the_models_numbers_are_used() -> None:
    image = picture((2, 60, 70))
    image[1] *= 10
    model = made((OWN,), (Undo(OWN),))
    lines = warned(model, image, "CYX")
    assert len(lines) == 2
    assert all("in channel 1" in line for line in lines)
    assert warned(model, image, "CYX", region={"C": 0}) == []
    assert warned(model, image, "CYX", normalization="time_point") == []
    assert warned(made((IMAGES,)), image, "CYX") == []
