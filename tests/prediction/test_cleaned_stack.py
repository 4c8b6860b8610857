"""Images without their hot pixels: what is measured for it, and predictions of them."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.prediction.test_expected_reads import blur, predicted, written
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict, predict_to_disk
from napari_tessera.prediction import (
    CheckWriter,
    PlanError,
    PredictionPlan,
    Schedule,
    run_prediction,
)
from napari_tessera.prediction.cleaned_stack import CleanedStack, cleaned, hot_pixels_of
from napari_tessera.prediction.hot_pixels import HotPixels, without_hot_pixels
from napari_tessera.testing import check_image_stack
from napari_tessera.writing import ArrayWriter


def camera_image(*shape: int, hot: float = 2e-3, seed: int = 0) -> np.ndarray:
    """Photons on an offset, and pixels that are hot in every plane."""
    random = np.random.default_rng(seed)
    image = random.poisson(30, shape) + 100
    image[..., random.random(shape[-2:]) < hot] = 4000
    return image.astype(np.uint16)


def whole_cleaned(image: np.ndarray, axes: str) -> np.ndarray:
    """Every pixel judged in its whole plane."""
    ordinary = hot_pixels_of(open_stack(image, axes)).ordinary
    if "C" in axes:
        found = [np.take(image, [c], axes.index("C")) for c in range(len(ordinary))]
        made = [
            without_hot_pixels(part.reshape(1, -1, *image.shape[-2:]), [one]).reshape(part.shape)
            for part, one in zip(found, ordinary, strict=True)
        ]
        return np.concatenate(made, axis=axes.index("C"))
    flat = image.reshape(1, -1, *image.shape[-2:])
    return without_hot_pixels(flat, ordinary).reshape(image.shape)


def identity(x: torch.Tensor) -> torch.Tensor:
    return x


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CZYX", "TCYX", "TZCYX"])
def test_the_model_sees_whole_planes_without_hot_pixels(axes: str) -> None:
    sizes = {"T": 2, "C": 2, "Z": 3, "Y": 70, "X": 83}
    image = camera_image(*(sizes[letter] for letter in axes))
    expected = whole_cleaned(image, axes)
    assert (expected != image).any()
    made = predict(
        open_stack(image, axes), load_model(identity), normalization="none",
        hot_pixels="replace", patch_size=32, overlaps=8,
    )  # fmt: skip
    np.testing.assert_array_equal(made, expected)
    kept = predict(open_stack(image, axes), load_model(identity), normalization="none")
    np.testing.assert_array_equal(kept, image)


def test_channels_that_go_together_keep_their_own_numbers() -> None:
    image = camera_image(3, 60, 70)
    image[1] = np.random.default_rng(1).poisson(0.05, image[1].shape) * 60
    layer = nn.Conv2d(2, 2, 1, bias=False)
    with torch.no_grad():
        layer.weight[...] = torch.eye(2)[..., None, None]
    made = predict(
        open_stack(image, "CYX"), load_model(layer), region={"C": [2, 1]},
        normalization="none", hot_pixels="replace",
    )  # fmt: skip
    np.testing.assert_array_equal(made, whole_cleaned(image, "CYX")[[2, 1]])


@pytest.mark.filterwarnings("ignore:.*NaN, infinite")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(20, 200), st.integers(20, 200)),
    patch=st.tuples(st.integers(16, 90), st.integers(16, 90)),
    blending=st.sampled_from(["crop", "linear"]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]),
    seed=st.integers(0, 10**6),
)
def test_tiled_is_whole_to_the_last_bit(
    shape: tuple[int, int], patch: tuple[int, int], blending: str, dtype: Any, seed: int
) -> None:
    random = np.random.default_rng(seed)
    image = random.poisson(20, shape).astype(dtype)
    image[random.random(shape) < 0.01] = 250
    if np.dtype(dtype).kind == "f":
        image[random.random(shape) < 0.002] = np.nan
    stack, model = open_stack(image, "YX"), load_model(identity)
    options: dict[str, Any] = {"normalization": "none", "hot_pixels": "replace"}
    tiled = predict(
        stack, model, patch_size=patch, overlaps=4, blending=blending,
        output_dtype="float64", **options,
    )  # fmt: skip
    whole = predict(stack, model, patch_size=shape, output_dtype="float64", **options)
    if blending == "crop":
        np.testing.assert_array_equal(tiled, whole)
    else:
        np.testing.assert_allclose(tiled, whole, rtol=1e-12)
    np.testing.assert_array_equal(whole, whole_cleaned(image, "YX"))


def test_a_network_s_tiles_join_to_the_last_bit_in_any_order(unet_2d: nn.Module) -> None:
    image = camera_image(509, 491)
    stack, model = open_stack(image, "YX"), load_model(unet_2d, prepare=True)
    options: dict[str, Any] = {"hot_pixels": "replace", "normalization": "series"}
    plan = plan_prediction(stack, model, patch_size=256, **options)
    assert plan.total_tiles > 1
    whole = predict(stack, model, patch_size=512, overlaps=0, **options)
    tiled = predict(stack, model, plan=plan)
    np.testing.assert_array_equal(tiled, whole)
    again = np.zeros_like(tiled)
    schedule = Schedule(plan.tiles)
    schedule.prioritize({"Y": slice(400, 500), "X": slice(300, 400)})
    run_prediction(
        plan.with_settings(reader_threads=3), stack, model,
        writers=[(ArrayWriter(again, plan.region), ".")], schedule=schedule, cancel=Event(),
    )  # fmt: skip
    np.testing.assert_array_equal(again, tiled)
    different = predict(stack, model, normalization="series", patch_size=256)
    assert np.abs(different - tiled).max() > 10, "hot pixels make a difference"


@pytest.mark.parametrize("statistics", ["sample", "exact"])
@pytest.mark.parametrize("kind", ["time_point", "series"])
def test_statistics_do_not_see_them(kind: str, statistics: str) -> None:
    image = camera_image(3, 90, 100, hot=5e-3)
    model = load_model(blur)
    options = {"normalization": kind, "statistics": statistics}
    with_them = plan_prediction(open_stack(image, "TYX"), model, **options)
    without = plan_prediction(open_stack(image, "TYX"), model, hot_pixels="replace", **options)
    clean = plan_prediction(open_stack(whole_cleaned(image, "TYX"), "TYX"), model, **options)
    assert without.normalization == clean.normalization
    assert with_them.normalization.values[0][1][0] > 10 * without.normalization.values[0][1][0]


def test_checks_compare_with_the_pixels_as_they_are() -> None:
    image = np.full((64, 64), 100, np.uint16)
    image[::16, ::16] = 60000
    checks = CheckWriter()
    predict(
        open_stack(image, "YX"), load_model(identity), normalization="none", patch_size=32,
        hot_pixels="replace", writers=[(checks, ".")],
    )  # fmt: skip
    kept = checks.readings().intensity_kept
    assert kept == pytest.approx(image.size * 100 / image.sum(dtype=float))


@pytest.mark.parametrize("tta", ["mean", "disagreement"])
def test_flips_see_the_same_pixels(tta: str) -> None:
    image = camera_image(50, 60)
    model = load_model(blur)
    options: dict[str, Any] = {"normalization": "none", "tta": tta, "patch_size": 32}
    made = predict(open_stack(image, "YX"), model, hot_pixels="replace", **options)
    clean = predict(open_stack(whole_cleaned(image, "YX"), "YX"), model, **options)
    np.testing.assert_array_equal(made, clean)


@pytest.mark.parametrize("patch", [24, 40])
def test_chunks_are_decoded_once_margins_included(patch: int) -> None:
    image = camera_image(2, 90, 100)
    array, counting = written(image, chunks=(1, 24, 25))
    counts = predicted(
        open_stack(array, "TYX"), counting, patch_size=patch, overlaps=6, hot_pixels="replace"
    )
    assert set(counts.values()) == {1}


def test_what_is_ordinary_does_not_depend_on_the_part_that_is_predicted() -> None:
    image = camera_image(40, 2, 50, 60)
    image[:20] //= 2
    stack, model = open_stack(image, "TCYX"), load_model(blur)
    plans = [
        plan_prediction(stack, model, hot_pixels="replace", region=region)
        for region in (None, {"T": 3}, {"T": slice(30, 40), "C": 1, "Y": slice(0, 20)})
    ]
    assert len({plan.hot_pixels for plan in plans}) == 1
    found = plans[0].hot_pixels
    assert found is not None
    assert len(found.ordinary) == 2


def test_of_few_pixels_some_may_be_hot() -> None:
    image = np.full((8, 8), 100, np.uint16)
    image[2, 2] = image[5, 6] = 9000
    assert hot_pixels_of(open_stack(image, "YX")) == HotPixels((0.0,))
    masked = open_stack(image > 200, "YX")
    assert hot_pixels_of(masked) == HotPixels((0.0,))


def test_a_cleaned_stack_is_a_stack() -> None:
    image = camera_image(2, 3, 40, 50)
    stack = open_stack(image, "TZYX")
    found = hot_pixels_of(stack)
    check_image_stack(CleanedStack(stack, found), whole_cleaned(image, "TZYX"))
    assert cleaned(stack, None) is stack


def test_a_stopped_run_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    image = camera_image(3, 96, 100)
    stack, model = open_stack(image, "TYX"), load_model(blur_module())
    options: dict[str, Any] = {"hot_pixels": "replace", "camera_offset": 100, "camera_gain": 0.46}
    plan = plan_prediction(stack, model, patch_size=48, **options)
    whole = predict_to_disk(stack, model, tmp_path / "whole.zarr", plan=plan)
    cancel = Event()

    def stop(progress: Any) -> None:
        if progress.done >= 4:
            cancel.set()

    part = tmp_path / "part.zarr"
    predict_to_disk(stack, model, part, plan=plan, progress=stop, cancel=cancel)
    stored = zarr.open_group(part, mode="r").attrs["napari_tessera"]["plan"]
    again = PredictionPlan.from_json(json.dumps(stored))
    assert again == plan
    assert again.fingerprint == plan.fingerprint
    with pytest.raises(ValueError, match=r"the hot pixels\.what \(replace there, nothing now\)"):
        predict_to_disk(stack, model, part, resume=True, hot_pixels="keep")
    with pytest.raises(ValueError, match=r"the camera's gain \(0\.46 there, 2\.0 now\)"):
        predict_to_disk(stack, model, part, resume=True, camera_gain=2)
    predict_to_disk(stack, model, part, resume=True, hot_pixels="replace", camera_offset=100.0)
    np.testing.assert_array_equal(pixels_of(part), pixels_of(whole))


def pixels_of(store: Path) -> np.ndarray:
    return np.asarray(zarr.open_group(store, mode="r")["0"][...])


def blur_module() -> nn.Module:
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(layer.weight, 1 / 9)
    return layer.eval()


def test_hot_pixels_are_kept_or_replaced() -> None:
    with pytest.raises(PlanError, match=r"hot pixels 'drop' is none of keep, replace") as error:
        plan_prediction(
            open_stack(camera_image(20, 20), "YX"), load_model(identity), hot_pixels="drop"
        )
    assert error.value.field == "hot_pixels"
