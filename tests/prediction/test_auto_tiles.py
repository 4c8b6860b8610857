"""The tile with the least work, in the memory there is."""

from __future__ import annotations

from math import inf, prod

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.models import ModelGeometry
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.patching import TiledAxis
from napari_tessera.prediction import PlanError
from napari_tessera.prediction.auto_tiles import (
    SWIFT_TENSOR,
    TileLimits,
    automatic_tile,
    live_edges,
)

PLENTY = 10**12


def geometry(k: int = 4, dims: int = 2, sizes: ValidSizes | None = None, lost: int = 0):
    return ModelGeometry(
        reach=(26,) * dims,
        period=(k,) * dims,
        out_channels=1,
        offset=(lost,) * dims,
        sizes=sizes or ValidSizes((k,) * dims, (k,) * dims, (None,) * dims),
    )


def work(size: int, patch: int, overlap: int, k: int) -> int:
    padded = -(-size // k) * k
    if patch >= padded:
        return padded
    return TiledAxis(size, patch, overlap, k).n * patch


@given(
    st.integers(1, 8), st.integers(0, 12), st.integers(1, 3000), st.sampled_from([128, 256, 512])
)
def test_hardly_any_tile_makes_less_work(k: int, halves: int, size: int, edge: int) -> None:
    overlap = 2 * k * halves
    (tile, _) = automatic_tile((size, 64), (overlap, 0), geometry(k), (edge, edge), PLENTY)
    assert tile % k == 0
    assert tile <= max(edge, 2 * overlap, overlap + k)
    if tile < size:
        assert tile > overlap
    every = range(overlap + k, max(edge, 2 * overlap, overlap + k) + 1, k)
    least = min(work(size, patch, overlap, k) for patch in every)
    assert work(size, tile, overlap, k) <= 1.05 * least


@given(st.tuples(st.integers(1, 300), st.integers(1, 2000), st.integers(1, 2000)), st.data())
def test_tiles_fit_into_the_memory(spatial: tuple[int, int, int], data: st.DataObject) -> None:
    pixels = data.draw(st.integers(96 * 96 * 96, 2**23))
    model = geometry(4, 3)
    tile = automatic_tile(spatial, (56, 56, 56), model, (64, 256, 256), pixels)
    assert prod(tile) <= pixels
    assert tile == automatic_tile(spatial, (56, 56, 56), model, (64, 256, 256), pixels)


def test_too_little_memory_gets_the_smallest() -> None:
    assert automatic_tile((900, 900), (56, 56), geometry(), (512, 512), 1) == (60, 60)


@pytest.mark.parametrize(
    ("spatial", "tile"),
    [
        ((512, 512), (512, 512)),  # one tile
        ((600, 300), (328, 300)),  # two that share the rest evenly
        ((2048, 2048), (456, 456)),
        ((50, 70), (52, 72)),
    ],
)
def test_tiles_of_a_unet(spatial: tuple[int, int], tile: tuple[int, int]) -> None:
    assert automatic_tile(spatial, (56, 56), geometry(), (512, 512), PLENTY) == tile


def test_sizes_without_padding_are_preferred() -> None:
    coarse = geometry(sizes=ValidSizes((64, 64), (64, 64), (None, None)))
    assert automatic_tile((2048, 2048), (56, 56), coarse, (512, 512), PLENTY) == (512, 512)
    # convolutions without padding: 20 px of what the network sees are no tile
    valid = geometry(sizes=ValidSizes((64, 64), (16, 16), (None, None)), lost=10)
    tile = automatic_tile((2048, 2048), (56, 56), valid, (512, 512), PLENTY)
    assert (tile[0] + 20) % 16 == 0


def test_a_network_for_one_size_gets_that() -> None:
    fixed = geometry(sizes=ValidSizes.fixed((256, 192)))
    assert automatic_tile((2048, 2048), (56, 56), fixed, (128, 128), PLENTY) == (256, 192)
    assert automatic_tile((2048, 100), (56, 56), fixed, (512, 512), PLENTY) == (256, 100)
    uneven = geometry(16, sizes=ValidSizes.fixed((250, 250)))
    assert automatic_tile((2048, 2048), (32, 32), uneven, (512, 512), PLENTY) == (240, 240)


def test_a_far_reach_is_given_larger_tiles() -> None:
    """At most four times the work of the image itself, however far a network looks."""
    assert automatic_tile((9000, 9000), (400, 400), geometry(), (512, 512), PLENTY) == (792, 792)


def test_the_same_machine_gives_the_same_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(torch.nn.Conv2d(1, 1, 3, padding=1))

    class Memory:
        available = 5 * 2**30

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    limits = TileLimits(model, "YX", 1)
    assert limits.edges == (512, 512)
    assert limits.pixels == int(2**30 / model.memory_per_pixel)
    Memory.available = 7 * 2**30
    assert TileLimits(model, "YX", 1).pixels == limits.pixels
    assert TileLimits(model, "YX", 4).pixels == limits.pixels // 4
    Memory.available = 2**26
    small = plan_prediction(open_stack(np.zeros((900, 900), np.uint8), "YX"), model)
    assert prod(small.patch_size) * model.memory_per_pixel <= 2**24


def test_tensors_that_the_system_fills_anew_are_left_to_tiles_that_save_more_than_that() -> None:
    def tile(overlap: int, swift: float) -> tuple[int, ...]:
        overlaps = (overlap, overlap)
        return automatic_tile((8192, 8192), overlaps, geometry(), (512, 512), PLENTY, swift)

    assert tile(56, 512 * 512) == tile(56, inf) == (508, 508)
    assert 400 * 400 < prod(tile(56, 500 * 500)) <= 500 * 500
    assert 300 * 300 < prod(tile(56, 360 * 360)) <= 360 * 360
    assert tile(56, 100 * 100) == (508, 508)
    # one tile, rather than two that share 56 px
    one = automatic_tile((512, 512), (56, 56), geometry(), (512, 512), PLENTY, 500 * 500)
    assert one == (512, 512)
    # where much is overlap, smaller tiles are far more work
    assert tile(240, 300 * 300) == tile(240, inf)


def test_how_much_a_tile_takes_of_its_largest_tensor() -> None:
    convolutions = torch.nn.Conv2d(1, 64, 1), torch.nn.Conv2d(64, 1, 1)
    model = load_model(torch.nn.Sequential(*convolutions))
    assert model.largest_per_pixel == 256
    limits = TileLimits(model, "YX", 2)
    assert limits.swift_pixels * 2 * 256 == SWIFT_TENSOR
    unseen = load_model(lambda x: x.clone())
    assert TileLimits(unseen, "YX", 1).swift_pixels == inf


def test_tiles_on_an_accelerator_are_larger() -> None:
    assert live_edges("YX", "cuda") == (1024, 1024)
    assert live_edges("ZYX", "cuda") == live_edges("ZYX", "cpu") == (64, 256, 256)


class FixedSize(torch.nn.Module):
    """Takes 64 × 64 pixels and nothing else, as an exported program does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if tuple(x.shape[2:]) != (64, 64):
            raise ValueError("expected 64 x 64")
        return torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


def test_a_tile_larger_than_the_model_takes_is_refused() -> None:
    stack, model = open_stack(np.zeros((200, 200), np.float32), "YX"), load_model(FixedSize())
    if model.geometry.largest_tile != (64, 64):
        pytest.skip("this network's only size is not found")
    plan = plan_prediction(stack, model)
    assert plan.patch_size == (64, 64)
    for patch in (128, 32, (96, 64)):
        edge = patch if isinstance(patch, int) else patch[0]
        wrong = f"patch size Y: {edge}: the model takes 64 px only: use 64, or leave it to auto"
        with pytest.raises(PlanError, match=wrong) as raised:
            plan_prediction(stack, model, patch_size=patch)
        assert raised.value.field == "patch_size"
