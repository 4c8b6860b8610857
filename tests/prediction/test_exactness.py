"""Tiled output equals whole-image output."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.prediction import Schedule, iter_predictions, run_prediction
from napari_tessera.writing import ArrayWriter


def whole_image(model: Model, image: np.ndarray, period: int = 4) -> np.ndarray:
    """The reference: reflect-pad the far ends to the period, run once, crop."""
    padding = [(0, -size % period) for size in image.shape]
    padded = np.pad(image, padding, mode="reflect")
    with torch.inference_mode():
        out = model(torch.from_numpy(padded)[None, None])[0, 0].numpy()
    return out[tuple(slice(0, size) for size in image.shape)]


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(509, 491), (512, 512), (130, 1000)])
def test_2d_bit_for_bit(unet_2d: torch.nn.Module, shape: tuple[int, int]) -> None:
    image, model = noise(shape), load_model(unet_2d, prepare=True)
    plan = plan_prediction(open_stack(image, "YX"), model, patch_size=256)
    assert plan.alignment == (4, 4)
    assert plan.overlaps[1] == 56
    assert plan.total_tiles > 1
    tiled = predict(open_stack(image, "YX"), model, plan=plan)
    assert np.array_equal(tiled, whole_image(model, image))


@settings(max_examples=12)
@given(
    st.tuples(st.integers(20, 330), st.integers(20, 330)),
    st.tuples(st.integers(15, 40), st.integers(15, 40)),
)
def test_2d_small_tiles_of_any_size(
    unet_2d: torch.nn.Module, shape: tuple[int, int], patch: tuple[int, int]
) -> None:
    image, model = noise(shape), load_model(unet_2d, prepare=True)
    expected = whole_image(model, image)
    tiled = predict(open_stack(image, "YX"), model, patch_size=[4 * p for p in patch])
    assert np.abs(tiled - expected).max() <= 1e-5 * np.ptp(expected)


def test_3d(unet_3d: torch.nn.Module) -> None:
    image, model = noise((37, 101, 96)), load_model(unet_3d, prepare=True)
    expected = whole_image(model, image)
    plan = plan_prediction(
        open_stack(image, "ZYX"), model, patch_size=(40, 72, 64), overlaps=(0, 56, 56)
    )
    assert plan.total_tiles > 4
    tiled = predict(open_stack(image, "ZYX"), model, plan=plan)
    assert np.abs(tiled - expected).max() <= 1e-6 * np.ptp(expected)


def test_3d_with_several_tiles_in_z(unet_3d: torch.nn.Module) -> None:
    image, model = noise((70, 24, 24)), load_model(unet_3d, prepare=True)
    expected = whole_image(model, image)
    tiled = predict(open_stack(image, "ZYX"), model, patch_size=(64, 24, 24))
    assert np.abs(tiled - expected).max() <= 1e-6 * np.ptp(expected)


def test_too_little_overlap_is_not_exact(unet_2d: torch.nn.Module) -> None:
    """The comparison can fail: the same image with half the overlap needed."""
    image, model = noise((300, 300)), load_model(unet_2d, prepare=True)
    plan = plan_prediction(open_stack(image, "YX"), model, patch_size=160, overlaps=24)
    assert any("expect seams" in warning for warning in plan.warnings)
    tiled = predict(open_stack(image, "YX"), model, plan=plan)
    assert np.abs(tiled - whole_image(model, image)).max() > 1e-4


def test_any_order_threads_and_a_stop_give_the_same_bytes(unet_2d: torch.nn.Module) -> None:
    image, model = noise((200, 230)), load_model(unet_2d, prepare=True)
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, model, patch_size=96)
    expected = predict(stack, model, plan=plan)
    rng = np.random.default_rng(0)
    for threads in (1, 2, 3, 4):
        threaded = plan.with_settings(reader_threads=threads)
        assert threaded.fingerprint == plan.fingerprint
        order = [int(i) for i in rng.permutation(plan.total_tiles)]
        array = np.full(image.shape, np.nan, np.float32)
        schedule = Schedule(plan.tiles, order=order)
        stop = Event()

        def progress(state: object, stop: Event = stop, schedule: Schedule = schedule) -> None:
            if schedule.n_done >= 3:
                stop.set()

        first = run_prediction(
            threaded,
            stack,
            model,
            writers=[(ArrayWriter(array, plan.region), ".")],
            schedule=schedule,
            cancel=stop,
            progress=progress,
        )
        assert not first.completed
        assert 3 <= first.n_done < plan.total_tiles
        assert np.isnan(array).any()
        second = run_prediction(
            threaded,
            stack,
            model,
            writers=[(ArrayWriter(array, plan.region), ".")],
            schedule=Schedule(plan.tiles, done=schedule.done()),
        )
        assert second.completed
        assert array.tobytes() == expected.tobytes()


def test_batch_sizes_agree(unet_2d: torch.nn.Module) -> None:
    image, model = noise((200, 230)), load_model(unet_2d, prepare=True)
    results = [
        predict(open_stack(image, "YX"), model, patch_size=96, batch_size=n) for n in (1, 2, 3, 4)
    ]
    for result in results[1:]:
        assert np.abs(result - results[0]).max() <= 1e-5 * np.ptp(results[0])


def test_a_region_has_the_pixels_of_the_full_run(unet_2d: torch.nn.Module) -> None:
    image, model = noise((3, 200, 230)), load_model(unet_2d, prepare=True)
    stack = open_stack(image, "TYX")
    everything = predict(stack, model, patch_size=96)
    region = {"T": [0, 2], "Y": slice(60, 150), "X": slice(100, 101)}
    part = predict(stack, model, patch_size=96, region=region)
    assert part.shape == (2, 90, 1)
    assert np.array_equal(part, everything[[0, 2], 60:150, 100:101])


def test_tiles_come_one_by_one(unet_2d: torch.nn.Module) -> None:
    image, model = noise((200, 230)), load_model(unet_2d, prepare=True)
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, model, patch_size=96)
    out = np.full(image.shape, np.nan, np.float32)
    for region in iter_predictions(plan, stack, model):
        spec = region.region_spec
        at = tuple(
            slice(s, s + n) for s, n in zip(spec["stitch_coords"], spec["crop_size"], strict=True)
        )
        assert np.isnan(out[at]).all()
        out[at] = region.data[0]
    assert np.array_equal(out, predict(stack, model, plan=plan))
