"""Tiles that fade into each other: exact where the network is local, smoother where it is not."""

from __future__ import annotations

from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.metadata import ImageMetadata
from napari_tessera.models import Model
from napari_tessera.prediction import (
    PredictionPlan,
    Progress,
    Schedule,
    blending,
    iter_predictions,
    run_prediction,
)
from napari_tessera.prediction.blending import Blending
from napari_tessera.prediction.tile_io import Origin
from napari_tessera.writing import ArrayWriter

IMAGE = Origin("image", ImageMetadata("YX"))

KINDS = ("linear", "gaussian")


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def whole_image(model: Model, image: np.ndarray, period: int = 4) -> np.ndarray:
    padded = np.pad(image, [(0, -size % period) for size in image.shape], mode="reflect")
    with torch.inference_mode():
        out = model(torch.from_numpy(padded)[None, None])[0, 0].numpy()
    return out[tuple(slice(0, size) for size in image.shape)]


class Global(nn.Module):
    """Every output pixel depends on the mean and spread of all of the tile."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 8, 5, padding=2)
        self.norm = nn.InstanceNorm2d(8)
        self.last = nn.Conv2d(8, 1, 5, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.norm(self.first(x))))


def uneven(shape: tuple[int, int]) -> np.ndarray:
    """An image whose parts differ in brightness and contrast, so that global networks show it."""
    yy, xx = np.indices(shape) / shape[0]
    return ((1 + 3 * xx * yy) * noise(shape) + 5 * xx).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("overlaps", [56, 72, 120])
def test_a_local_network_is_exact(unet_2d: nn.Module, kind: str, overlaps: int) -> None:
    """Zeros that the network pads tiles with are averaged in nowhere, nor at the image's edges."""
    image, model = noise((301, 262)), load_model(unet_2d)
    stack = open_stack(image, "YX")
    given = {"patch_size": 160, "overlaps": overlaps}
    plan = plan_prediction(stack, model, blending=kind, **given)
    assert plan.insets == (26, 26)
    assert plan.total_tiles > 4 or overlaps < 120
    blended = predict(stack, model, plan=plan)
    expected = whole_image(model, image)
    assert np.abs(blended - expected).max() <= 1e-5 * np.ptp(expected)
    cropped = predict(stack, model, blending="crop", **given)
    assert np.abs(blended - cropped).max() <= 1e-5 * np.ptp(expected)


def test_a_local_network_is_exact_in_3d(unet_3d: nn.Module) -> None:
    image, model = noise((8, 117, 83)), load_model(unet_3d)
    stack = open_stack(image, "ZYX")
    given = {"patch_size": (8, 84, 84), "overlaps": (0, 64, 0)}
    plan = plan_prediction(stack, model, blending="linear", **given)
    assert plan.insets == (0, 26, 0)
    expected = whole_image(model, image)
    assert np.abs(predict(stack, model, plan=plan) - expected).max() <= 1e-5 * np.ptp(expected)


def seam_height(output: np.ndarray, seams: list[int]) -> float:
    """How much the steps across some columns stand out from the steps elsewhere."""
    steps = np.abs(np.diff(output, axis=1)).mean(axis=0)
    return float(np.mean([steps[seam - 1] for seam in seams]) - np.median(steps))


@pytest.mark.parametrize("kind", KINDS)
def test_seams_of_a_global_network_are_smaller(kind: str) -> None:
    yy, xx = np.indices((256, 320)) / 256
    image = (np.sin(9 * xx) + np.cos(7 * yy) + 4 * xx**2).astype(np.float32)
    model, stack = load_model(Global()), open_stack(image, "YX")
    plan = plan_prediction(stack, model, patch_size=128, overlaps=32, blending="crop")
    seams = [plan.tiles.spec(index)["stitch_coords"][1] for index in range(plan.total_tiles)]
    seams = sorted({seam for seam in seams if seam})
    cropped = seam_height(predict(stack, model, plan=plan), seams)
    blended = predict(stack, model, patch_size=128, overlaps=32, blending=kind)
    assert cropped > 0.01
    assert seam_height(blended, seams) < 0.2 * cropped
    # Nor does the step stand elsewhere: no column within the image stands out as much.
    columns = np.abs(np.diff(blended, axis=1)).mean(axis=0)[8:-8]
    assert columns.max() - np.median(columns) < 0.3 * cropped


def test_automatic_blending_is_for_global_networks(unet_2d: nn.Module) -> None:
    stack = open_stack(uneven((300, 300)), "YX")
    assert plan_prediction(stack, load_model(unet_2d)).blending == "crop"
    assert plan_prediction(stack, load_model(unet_2d)).insets == ()
    plan = plan_prediction(stack, load_model(Global()), patch_size=128)
    assert plan.blending == "linear"
    assert plan.insets == tuple(overlap // 4 for overlap in plan.overlaps)
    assert PredictionPlan.from_json(plan.to_json()).fingerprint == plan.fingerprint


def run(
    plan: PredictionPlan, stack: Any, model: Model, array: np.ndarray, **settings: Any
) -> np.ndarray:
    run_prediction(plan, stack, model, writers=[(ArrayWriter(array, plan.region), ".")], **settings)
    return array


@pytest.fixture(scope="module")
def setting() -> tuple[Any, Model, PredictionPlan, np.ndarray]:
    """A blended plan of some 60 tiles, and its output in one plain run."""
    stack, model = open_stack(uneven((230, 250)), "YX"), load_model(Global())
    plan = plan_prediction(stack, model, patch_size=64, overlaps=32)
    return stack, model, plan, predict(stack, model, plan=plan)


@settings(max_examples=8)
@given(data=st.data())
def test_order_threads_room_and_stops_never_change_the_bytes(
    setting: tuple[Any, Model, PredictionPlan, np.ndarray], data: st.DataObject
) -> None:
    stack, model, plan, expected = setting
    order = data.draw(st.permutations(range(plan.total_tiles)))
    room = data.draw(st.sampled_from([0, 5 * 64 * 64 * 8, 2**30]))
    threaded = plan.with_settings(reader_threads=data.draw(st.integers(1, 4)))
    stop_after = data.draw(st.integers(0, plan.total_tiles))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blending, "free_room", lambda: room)
        array = np.full(expected.shape, np.nan, np.float32)
        schedule, stop = Schedule(plan.tiles, order=order), Event()

        def progress(state: Progress) -> None:
            if state.done >= stop_after:
                stop.set()

        run(threaded, stack, model, array, schedule=schedule, cancel=stop, progress=progress)
        resumed = Schedule(plan.tiles, done=schedule.done())
        run(threaded, stack, model, array, schedule=resumed)
    assert array.tobytes() == expected.tobytes()


@settings(max_examples=4)
@given(done=st.sets(st.integers(0, 48)))
def test_a_run_that_goes_on_anywhere_gives_the_same_bytes(
    setting: tuple[Any, Model, PredictionPlan, np.ndarray], done: set[int]
) -> None:
    stack, model, plan, expected = setting
    array = np.full(expected.shape, np.nan, np.float32)
    run(plan, stack, model, array, schedule=Schedule(plan.tiles, done=done))
    for index in range(plan.total_tiles):
        block = plan.tiles.block(index)
        assert np.isnan(array[block]).all() == (index in done)
        if index not in done:
            assert array[block].tobytes() == expected[block].tobytes()


@pytest.mark.parametrize("room", [0, 2**30])
def test_batches_are_of_one_shape(
    setting: tuple[Any, Model, PredictionPlan, np.ndarray],
    room: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, _, plan, expected = setting
    monkeypatch.setattr(blending, "free_room", lambda: room)
    shapes = set()
    net = Global()

    def seen(x: torch.Tensor) -> torch.Tensor:
        shapes.add(tuple(x.shape))
        with torch.no_grad():
            return net(x)

    one = load_model(seen)
    batched = plan_prediction(stack, one, patch_size=64, overlaps=32, blending="linear")
    assert batched.insets == plan.insets
    shapes.clear()
    order = np.random.default_rng(0).permutation(plan.total_tiles)
    outputs = [
        run(
            batched.with_settings(batch_size=3),
            stack,
            one,
            np.empty_like(expected),
            schedule=Schedule(plan.tiles, order=[int(i) for i in given_order]),
        )
        for given_order in ((), order)
    ]
    assert shapes == {(3, 1, 64, 64)}
    assert outputs[0].tobytes() == outputs[1].tobytes()
    assert np.abs(outputs[0] - expected).max() <= 1e-5 * np.ptp(expected)


def test_a_preview_has_the_pixels_of_the_full_run() -> None:
    image, model = uneven((230, 250)), load_model(Global())
    stack = open_stack(np.stack([image, image[::-1], image[:, ::-1]]), "TYX")
    given = {"patch_size": 64, "overlaps": 32}
    everything = predict(stack, model, **given)
    region = {"T": [0, 2], "Y": slice(60, 150), "X": slice(100, 101)}
    part = predict(stack, model, region=region, **given)
    assert part.shape == (2, 90, 1)
    assert np.array_equal(part, everything[[0, 2], 60:150, 100:101])


def test_each_tile_is_predicted_once_where_there_is_room(
    setting: tuple[Any, Model, PredictionPlan, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan, _ = setting
    joining = Blending(plan, IMAGE)
    missed = [n for i in range(plan.total_tiles) for n, _ in joining.prepare([i]).missing]
    assert sorted(missed) == list(range(plan.total_tiles))
    # Two rows of 7 tiles and three more: what is needed no more has gone by then.
    monkeypatch.setattr(blending, "free_room", lambda: 17 * 64 * 64 * 8)
    few = Blending(plan, IMAGE)
    missed = [n for i in range(plan.total_tiles) for n, _ in few.prepare([i]).missing]
    assert sorted(missed) == list(range(plan.total_tiles))
    monkeypatch.setattr(blending, "free_room", lambda: 0)
    none = Blending(plan, IMAGE)
    again = [n for i in range(plan.total_tiles) for n, _ in none.prepare([i]).missing]
    assert len(again) > 2 * plan.total_tiles


def test_parts_add_up_to_one_in_every_core(
    setting: tuple[Any, Model, PredictionPlan, np.ndarray],
) -> None:
    _, _, plan, _ = setting
    joining = Blending(plan, IMAGE)
    for index in range(plan.total_tiles):
        specs = plan.tiles.spec(index)
        total = np.zeros(specs["crop_size"])
        parts = joining.parts(index)
        assert [part.number for part in parts] == sorted({part.number for part in parts})
        for part in parts:
            total[part.in_core] += np.multiply.outer(*part.weights)
            tile = plan.patching.get_patch_spec(part.number)
            for axis in range(2):
                in_tile, in_core = part.in_tile[axis], part.in_core[axis]
                assert 0 <= in_tile.start < in_tile.stop <= tile["patch_size"][axis]
                # the same pixel of the image, reached through the tile and through the core
                in_image = tile["coords"][axis] + in_tile.start
                assert in_image == specs["stitch_coords"][axis] + in_core.start
        assert np.abs(total - 1).max() <= 1e-12


def test_pixels_that_are_not_finite_stay_where_they_are() -> None:
    image = uneven((150, 150))
    image[60, 70], image[62:64, 64] = np.nan, np.inf
    model, stack = load_model(Global()), open_stack(image, "YX")
    given = {"patch_size": 64, "overlaps": 32}
    with pytest.warns(
        UserWarning, match="3 pixels of the image are NaN, infinite or beyond float32"
    ):
        out = predict(stack, model, **given)
    bad = ~np.isfinite(image)
    assert np.array_equal(out[bad], image[bad], equal_nan=True)
    assert np.isfinite(out[~bad]).all()


def test_large_grey_levels_are_not_rounded() -> None:
    image = (2**30 + np.random.default_rng(0).integers(0, 1000, (100, 120))).astype(np.uint32)
    out = predict(
        open_stack(image, "YX"),
        nn.Identity(),
        patch_size=64,
        overlaps=16,
        blending="linear",
        normalization="series",
        output_dtype="float64",
    )
    assert np.abs(out - image).max() < 1e-3


def test_channels_and_planes_are_not_blended_with_each_other(unet_2d: nn.Module) -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, 150, 90)).astype(np.float32)
    model = load_model(Global())
    given = {"patch_size": 64, "overlaps": 16, "normalization": "none", "batch_size": 3}
    out = predict(open_stack(values, "CZYX"), model, **given)
    for c in range(2):
        for z in range(3):
            plane = predict(open_stack(values[c, z], "YX"), model, **given)
            assert np.abs(out[c, z] - plane).max() <= 1e-5 * np.ptp(plane)


def test_cores_come_one_by_one(setting: tuple[Any, Model, PredictionPlan, np.ndarray]) -> None:
    stack, model, plan, expected = setting
    out = np.full(expected.shape, np.nan, np.float32)
    for region in iter_predictions(plan, stack, model):
        block = plan.tiles.block(region.additional_metadata["tile_index"])
        assert np.isnan(out[block]).all()
        assert region.additional_metadata["input"].shape == region.data.shape
        out[block] = region.data[0]
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("kind", "overlaps", "most"),
    [("linear", 40, 3), ("linear", 44, 4), ("linear", 48, 10), ("gaussian", 48, 5)],
)
def test_an_overlap_just_short_of_enough_is_little_worse_than_cropping(
    unet_2d: nn.Module, kind: str, overlaps: int, most: float
) -> None:
    """What a network makes of its own zeros is left out as far as something remains to fade.

    With a quarter of the overlap left out it would be 7, 11, 59 and 11 times as much.
    """
    image, model = noise((301, 262)), load_model(unet_2d)
    stack, expected = open_stack(image, "YX"), whole_image(model, image)

    def error(blending: str) -> float:
        made = predict(stack, model, patch_size=160, overlaps=overlaps, blending=blending)
        return float(np.sqrt(np.mean((made - expected) ** 2)))

    assert error(kind) < most * error("crop")


def test_weights_are_worked_out_once_for_each_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tiles overlap nearly whole, each core has a thousand of them."""
    calls = []
    weights = blending.AxisWindows.weights

    def counted(self: Any, *given: int) -> np.ndarray:
        calls.append(given)
        return weights(self, *given)

    monkeypatch.setattr(blending.AxisWindows, "weights", counted)
    image = noise((90, 84))
    stack, model = open_stack(image, "YX"), load_model(nn.Identity())
    plan = plan_prediction(stack, model, patch_size=64, overlaps=60, blending="linear")
    calls.clear()
    assert np.allclose(predict(stack, model, plan=plan), image, atol=1e-6)
    rows, columns = plan.patching.grid_shape(0)
    assert len(calls) <= rows**2 + columns**2
