"""Tiles that are one value all over: the same bytes as computing them, and fewer computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.prediction import constant_tiles
from napari_tessera.prediction.constant_tiles import ConstantTiles, constant_values
from napari_tessera.prediction.inference import TileModel
from napari_tessera.prediction.tile_io import Tile, TileReader


class Local(nn.Module):
    """Two convolutions, others for each seed."""

    def __init__(self, channels: int = 1, dims: int = 2, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.layers = nn.Sequential(
            conv(channels, 4, 3, padding=1), nn.ReLU(), conv(4, channels, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@contextmanager
def nothing_known() -> Iterator[None]:
    """Every tile is computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constant_tiles, "constant_values", lambda pixels: None)
        yield


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    """CYX, most of it of one value, some rectangles of others, some of noise."""
    shape = draw(st.integers(1, 2)), draw(st.integers(40, 130)), draw(st.integers(40, 130))
    dtype = np.dtype(draw(st.sampled_from(["u1", "u2", "i2", "f4", "f8"])))
    values: list[float] = [0, 1, 7, 100]
    image = np.full(shape, draw(st.sampled_from(values)), dtype)
    if dtype.kind == "f":
        values += [float("nan"), float("inf"), -0.0]
    random = np.random.default_rng(0)
    for _ in range(draw(st.integers(0, 4))):
        y, x = (draw(st.integers(0, size - 1)) for size in shape[1:])
        part = image[:, y : y + draw(st.integers(1, 80)), x : x + draw(st.integers(1, 80))]
        if draw(st.booleans()):
            part[...] = random.integers(0, 100, part.shape).astype(dtype)
        else:
            part[...] = np.array(draw(st.sampled_from(values)), dtype)
    image[0, 0, :4] = range(4)
    return image


@cache
def loaded(channels: int, each: bool) -> Any:
    """A model of as many channels, or one for each; measured once for all cases."""
    source: Any = {0: Local(), 1: Local(seed=1)} if each and channels == 2 else Local(channels)
    return load_model(source)


@pytest.mark.filterwarnings("ignore:.*pixels of the image are NaN")
@pytest.mark.filterwarnings("ignore:.*pixel of the image is NaN")
@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    image=images(),
    patch=st.sampled_from([(32, 32), (24, 40)]),
    overlap=st.sampled_from([4, 12]),
    batch_size=st.integers(1, 3),
    tta=st.sampled_from(["none", "mean", "median", "disagreement"]),
    blending=st.sampled_from(["crop", "linear"]),
    normalization=st.sampled_from(["auto", "none"]),
    each=st.booleans(),
)
def test_same_bytes_as_computing_all_tiles(
    image: np.ndarray, each: bool, patch: Any, overlap: int, tta: str, **wanted: Any
) -> None:
    patch = (32, 32) if tta != "none" else patch
    model = loaded(len(image), each)
    stack = open_stack(image, "CYX")
    plan = plan_prediction(stack, model, patch_size=patch, overlaps=overlap, tta=tta, **wanted)
    found = predict(stack, model, plan=plan)
    with nothing_known():
        expected = predict(stack, model, plan=plan)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.view("u1"), expected.view("u1"))


class Calls:
    """How often models are called, while it lasts."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        call = Model.__call__

        def counting(model: Model, batch: torch.Tensor) -> torch.Tensor:
            self.count += 1
            return call(model, batch)

        patch.setattr(Model, "__call__", counting)


def counted(image: np.ndarray, axes: str, network: Any, **wanted: Any) -> tuple[int, int, int]:
    """Calls of a model with what is known and without, and tiles."""
    model = load_model(network)
    stack = open_stack(image, axes)
    plan = plan_prediction(stack, model, batch_size=1, **wanted)
    with pytest.MonkeyPatch.context() as patch:
        calls = Calls(patch)
        found = predict(stack, model, plan=plan)
        known, calls.count = calls.count, 0
        with nothing_known():
            expected = predict(stack, model, plan=plan)
    np.testing.assert_array_equal(found, expected)
    return known, calls.count, plan.total_tiles


def sparse(*shape: int) -> np.ndarray:
    """Empty but for one corner."""
    image = np.full(shape, 100, np.uint16)
    image[..., :20, :20] = np.random.default_rng(0).integers(0, 4000, (20, 20))
    return image


def test_one_value_is_computed_once() -> None:
    assert counted(sparse(300, 300), "YX", Local(), patch_size=64, overlaps=8) == (2, 36, 36)


def test_all_turns_of_one_value_are_one_call() -> None:
    found = counted(sparse(300, 300), "YX", Local(), patch_size=64, overlaps=8, tta="mean")
    assert found == (8 + 1, 8 * 36, 36)


def test_planes_of_a_volume_and_a_volume() -> None:
    image = sparse(5, 100, 100)
    calls, every, tiles = counted(image, "ZYX", Local(), patch_size=64, overlaps=8)
    assert (calls, every) == (5 + 1, tiles)
    calls, every, tiles = counted(
        image, "ZYX", Local(dims=3), patch_size=(5, 64, 64), overlaps=(0, 8, 8)
    )
    assert (calls, every) == (2, tiles)


def test_a_network_that_sees_everything_and_a_function_are_always_asked() -> None:
    class Global(Local):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) - x.mean(dim=(2, 3), keepdim=True)

    calls, every, _ = counted(sparse(300, 300), "YX", Global(), patch_size=64, overlaps=8)
    assert calls == every

    def function(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    calls, every, _ = counted(sparse(300, 300), "YX", function, patch_size=64, overlaps=8)
    assert calls == every


def test_answers_have_a_bound() -> None:
    image = np.repeat(np.arange(64, dtype=np.uint16), 32 * 32).reshape(64, 32, 32)
    model = load_model(Local())
    stack = open_stack(image, "TYX")
    plan = plan_prediction(stack, model, patch_size=32, normalization="none", overlaps=2)
    reader = TileReader(plan, stack, model)
    tiles = [reader.read(index, plan.tiles.spec(index)) for index in range(64)]
    kept = ConstantTiles(limit=10 * 32 * 32 * 4)

    asked: list[int] = []

    def predicted(some: Sequence[Tile]) -> torch.Tensor:
        return model(torch.from_numpy(np.stack([tile.levels for tile in some])))

    def compute(some: Sequence[Tile]) -> torch.Tensor:
        asked.extend(tile.index for tile in some)
        return predicted(some)

    def ask(numbers: range) -> int:
        asked.clear()
        for number in numbers:
            [answer] = kept.answers(model, [tiles[number]], (32, 32), compute)
            assert torch.equal(answer, predicted([tiles[number]])[0])
            # nobody else has it
            answer.zero_()
            assert kept.nbytes <= 10 * 32 * 32 * 4
        return len(asked)

    assert ask(range(64)) == 64
    assert ask(range(54, 64)) == 0, "the last ten"
    assert ask(range(54)) == 54
    small = ConstantTiles(limit=100)
    small.answers(model, tiles[:1], (32, 32), compute)
    assert small.nbytes == 0


def test_only_tiles_of_one_value_per_channel() -> None:
    tile = np.zeros((2, 6, 6), np.uint16)
    tile[1] = 7
    assert constant_values(tile) == np.array([0, 7], np.uint16).tobytes()
    for at in np.ndindex(tile.shape):
        other = tile.copy()
        other[at] += 1
        assert constant_values(other) is None
    assert constant_values(np.zeros((1, 3), "f4")) != constant_values(np.full((1, 3), -0.0, "f4"))
    assert constant_values(np.full((1, 2, 2), np.nan, "f4")) is not None


def test_a_network_that_gives_back_what_it_was_given() -> None:
    class Same(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    image = np.zeros((100, 200), np.float32)
    image[:, 100:] = 5
    image[0, 0] = 1
    model: Model = load_model(Same())
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, model, patch_size=32, overlaps=2, normalization="none")
    reader = TileReader(plan, stack, model)
    with TileModel(plan, model) as tile_model:
        for index in range(plan.total_tiles):
            tile = reader.read(index, plan.tiles.spec(index))
            [core] = tile_model([tile])
            np.testing.assert_array_equal(core, tile.core)
