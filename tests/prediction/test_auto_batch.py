"""How many tiles go together, by arithmetic alone; and runs of random settings, which all end."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from napari_tessera import load_model, plan_prediction, predict
from napari_tessera.models import ChannelModels, Model
from napari_tessera.prediction import auto_batch
from napari_tessera.prediction.auto_batch import (
    LIVE_SECONDS,
    MOST_TILES,
    automatic_batch,
    batch_for,
    bytes_per_pixel,
    free_bytes,
    free_for,
    memory_room,
)
from napari_tessera.prediction.auto_tiles import TileLimits, automatic_tile, live_edges
from napari_tessera.prediction.planning import resolve_batch_size
from napari_tessera.stacks import ArrayStack

FREE = st.integers(2**20, 2**40)
PER_PIXEL = st.floats(8, 2**16)
SECONDS = st.floats(1e-12, 1e-5)


@given(st.integers(1, 2**24), PER_PIXEL, FREE, SECONDS)
def test_a_batch_stays_in_memory_and_live(
    pixels: int, per_pixel: float, free: int, seconds: float
) -> None:
    room = memory_room(free, "cuda")
    assert room <= 0.9 * free
    batch = automatic_batch(pixels, per_pixel, room, seconds)
    assert batch in (1, 2, 4, 8, 16)

    def fits(tiles: int) -> bool:
        return tiles * pixels * per_pixel <= room and tiles * pixels * seconds <= LIVE_SECONDS

    assert batch == 1 or fits(batch)
    assert batch == MOST_TILES or not fits(2 * batch)


@given(
    st.integers(2**28, 2**40),
    st.floats(8, 2**12),
    SECONDS,
    st.sampled_from(["YX", "ZYX"]),
    st.data(),
)
@hypothesis_settings(max_examples=40)
def test_automatic_tile_and_batch_take_no_more_than_they_may(
    free: int, per_pixel: float, seconds: float, letters: str, data: st.DataObject
) -> None:
    """The whole decision: of tiles, then of how many go together."""
    dims = len(letters)
    spatial = data.draw(st.tuples(*[st.integers(1, 5000)] * dims))
    model = load_model(CONVOLUTIONS[dims]).geometry
    room = memory_room(free, "cuda")
    pixels = max(1, int(room / per_pixel))
    tile = automatic_tile(spatial, (2,) * dims, model, live_edges(letters, "cuda"), pixels)
    batch = automatic_batch(prod(tile), per_pixel, room, seconds)
    assert batch * prod(tile) * per_pixel <= 0.9 * free


@given(st.integers(0, 2**45))
def test_the_share_of_a_device_is_a_power_of_two(free: int) -> None:
    for kind, part in (("cpu", 0.25), ("cuda", 0.75), ("mps", 0.75)):
        room = memory_room(free, kind)
        assert room.bit_count() == 1
        assert room <= max(1, free * part) < 2 * room + 1
    assert memory_room(None, "cpu") == 2**30
    assert memory_room(-5, "cuda") == 1


def on(kind: str, **facts: Any) -> Any:
    """What is looked at of a model on a device."""
    device = torch.device(kind)
    return SimpleNamespace(
        device=device,
        replicas=(SimpleNamespace(device=device),),
        memory_per_pixel=900.0,
        work_per_pixel=1000.0,
        in_channels=1,
        geometry=SimpleNamespace(out_channels=2),
        **facts,
    )


def test_input_and_answer_that_stand_by_are_counted_on_an_accelerator() -> None:
    assert bytes_per_pixel(on("cpu")) == 900
    assert bytes_per_pixel(on("mps")) == 900 + 3 * 4 * 3


def test_the_batch_is_for_the_tile_that_is_taken() -> None:
    model = on("mps")
    assert free_bytes(model.device) is None
    assert resolve_batch_size("auto", model, (256, 256)) == 16
    assert resolve_batch_size("auto", model, (1024, 1024)) == 2
    assert resolve_batch_size("auto", model, (2048, 2048)) == 1
    model.work_per_pixel = 1e6
    assert resolve_batch_size("auto", model, (256, 256)) == 2
    assert resolve_batch_size(7, model, (256, 256)) == 7
    assert resolve_batch_size("auto", on("cpu"), (8, 8)) == 1


def test_replicas_share_the_memory_of_their_device(monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"cuda:0": 1000, "cuda:1": 600, "mps": None}
    monkeypatch.setattr(auto_batch, "free_bytes", lambda device: free[str(device)])

    def of(*names: str) -> Any:
        return SimpleNamespace(replicas=[on(name) for name in names])

    assert free_for(of("cuda:0")) == 1000
    assert free_for(of("cuda:0", "cuda:1")) == 600
    assert free_for(of("cuda:0", "cuda:0", "cuda:0")) == 333
    assert free_for(of("mps", "cuda:1")) == 600
    assert free_for(of("mps")) is None


CONVOLUTIONS = {
    2: torch.nn.Conv2d(1, 1, 3, padding=1),
    3: torch.nn.Conv3d(1, 1, 3, padding=1),
}


def test_work_is_counted_once_and_is_the_most_of_several_models() -> None:
    thin, thick = (
        torch.nn.Sequential(
            torch.nn.Conv2d(1, n, 3, padding=1), torch.nn.Conv2d(n, 1, 3, padding=1)
        )
        for n in (4, 8)
    )
    models = {0: load_model(thin, device="cpu"), 1: load_model(thick, device="cpu")}
    assert [model.work_per_pixel for model in models.values()] == [2 * 9 * 4, 2 * 9 * 8]
    assert ChannelModels(models).work_per_pixel == 2 * 9 * 8
    assert isinstance(models[0], Model)
    models[0]._network = None  # type: ignore[assignment]
    assert models[0].work_per_pixel == 2 * 9 * 4


def settings(dims: int) -> Iterator[dict[str, Any]]:
    """Settings at random, the automatic ones among them; each can be run."""
    random = np.random.default_rng(dims)
    while True:
        overlaps = tuple(2 * int(n) for n in random.integers(0, 6, dims))
        patch = tuple(
            o + int(n) for o, n in zip(overlaps, random.integers(8, 60, dims), strict=True)
        )
        yield {
            "patch_size": "auto" if random.integers(2) else patch,
            "overlaps": overlaps if random.integers(3) else "auto",
            "batch_size": "auto" if random.integers(2) else int(random.integers(1, 9)),
            "blending": str(random.choice(["auto", "crop", "linear", "gaussian"])),
            "reader_threads": int(random.integers(1, 4)),
        }


@pytest.mark.parametrize("dims", [2, 3])
def test_random_settings_all_finish(dims: int) -> None:
    model = load_model(CONVOLUTIONS[dims], device="cpu")
    random = np.random.default_rng(7)
    ways = settings(dims)
    for number in range(50):
        shape = tuple(int(n) for n in random.integers(1, 90 if dims == 2 else 40, dims))
        image = random.integers(0, 4000, shape).astype(np.uint16)
        made = predict(ArrayStack(image, "ZYX"[-dims:]), model, **next(ways))
        assert made.shape == shape, number
        assert np.isfinite(made).all(), number


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_random_settings_all_finish_on_cuda() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 64, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(64, 64, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(64, 1, 3, padding=1),
    )
    model = load_model(network, device="cuda:0")
    random = np.random.default_rng(7)
    ways = settings(2)
    for _ in range(100):
        image = random.integers(0, 4000, random.integers(1, 3000, 2)).astype(np.uint16)
        free = free_bytes(model.device)
        assert free is not None
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        wanted = next(ways)
        made = predict(ArrayStack(image, "YX"), model, **wanted)
        assert np.isfinite(made).all()
        if wanted["patch_size"] == wanted["batch_size"] == "auto":
            assert torch.cuda.max_memory_allocated() - before <= 0.9 * free


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_batch_on_cuda_is_one_that_fits() -> None:
    model = load_model(CONVOLUTIONS[2], device="cuda:0")
    plan = plan_prediction(ArrayStack(np.zeros((9000, 9000), np.uint8), "YX"), model)
    free = free_bytes(model.device)
    assert free is not None
    assert plan.settings.batch_size == batch_for(model, plan.patch_size)
    assert plan.settings.batch_size * prod(plan.patch_size) * bytes_per_pixel(model) <= 0.9 * free
    assert TileLimits(model, "YX", 1).edges == (1024, 1024)
