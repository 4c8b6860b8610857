"""Tiles that a run is judged by: which they are, and what is measured on them."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.prediction.several.folders import blur

from napari_tessera import open_stack, plan_prediction
from napari_tessera.prediction import PredictionPlan
from napari_tessera.prediction.sampled_cost import SampledCost, sample_cost, spread_tiles
from napari_tessera.writing.files.formats import OME_ZARR
from napari_tessera.writing.files.packed_size import PackedSize


@pytest.fixture(scope="module")
def model() -> Any:
    return blur()


def planned(model: Any, **settings: Any) -> tuple[PredictionPlan, Any]:
    pixels = np.random.default_rng(0).integers(0, 4000, (3, 150, 170)).astype(np.uint16)
    stack = open_stack(pixels, "ZYX")
    settings = {"patch_size": 32, "overlaps": 2, "torch_threads": 1, **settings}
    return plan_prediction(stack, model, **settings), stack


def packed() -> PackedSize:
    return PackedSize(OME_ZARR, "zstd", (1, 150, 170), "float32")


@given(n=st.integers(1, 200), places=st.integers(1, 12), kept=st.integers(0, 2**20 - 1))
def test_tiles_are_spread_and_none_is_skipped(n: int, places: int, kept: int) -> None:
    model = blur()
    mask = np.zeros((150, 170), bool)
    for bit in range(20):
        if kept >> bit & 1:
            mask[(bit // 5) * 35 + 2, (bit % 5) * 33 + 2] = True
    mask[0, 0] = True
    plan, _ = planned(model, inside=mask)
    numbers = spread_tiles(plan.tiles, n, places)
    assert numbers == sorted(set(numbers))
    assert len(numbers) == min(n, plan.total_tiles)
    skipped = plan.skipped
    assert skipped is None or not skipped[numbers].any()


def test_few_tiles_of_a_large_grid_come_from_everywhere(model: Any) -> None:
    plan, _ = planned(model)
    numbers = spread_tiles(plan.tiles, 8, 4)
    n = plan.tiles.n_tiles
    assert len(numbers) == 8
    assert numbers[0] < n / 4
    assert numbers[-1] > 3 * n / 4
    # neighbours, two by two
    assert [b - a for a, b in zip(numbers[::2], numbers[1::2], strict=True)] == [1] * 4


@pytest.mark.parametrize("settings", [{}, {"batch_size": 4}, {"blending": "linear", "overlaps": 8}])
def test_tiles_are_predicted_packed_and_stored_nowhere(
    model: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan, stack = planned(model, **settings)
    cost = sample_cost(plan, stack, model, packed, seconds=1.0)
    assert 1 <= cost.tiles <= plan.total_tiles
    assert cost.seconds > 0
    assert cost.seconds_per_tile == cost.seconds / cost.tiles
    assert 0 < cost.stored_share <= 1
    assert (cost.devices, cost.threads) == (("cpu",), 1)
    assert list(tmp_path.iterdir()) == []


def test_one_tile_is_enough_and_a_stop_is_heard(model: Any) -> None:
    stack = open_stack(np.full((40, 50), 7.0, np.float32), "YX")
    plan = plan_prediction(stack, model, patch_size=64, overlaps=2)
    assert sample_cost(plan, stack, model, packed).tiles == 1
    cancel = Event()
    cancel.set()
    big, of_it = planned(model)
    assert sample_cost(big, of_it, model, packed, cancel=cancel).pixel_bytes == 0


@pytest.mark.parametrize(("asked", "told"), [(None, 1), (2, 2)])
def test_the_threads_that_are_told_are_those_of_the_run(
    model: Any, asked: int | None, told: int
) -> None:
    """A network that has next to nothing to compute has one, whatever torch would take."""
    torch.set_num_threads(2)
    plan, stack = planned(model, torch_threads=asked, region={"Z": 0})
    assert sample_cost(plan, stack, model, packed, seconds=0.0).threads == told


def test_costs_add_up() -> None:
    one = SampledCost(2, 1.0, 100, 50, ("cpu",), 1)
    both = one + SampledCost(6, 1.0, 300, 250, ("cpu",), 1)
    assert (both.seconds_per_tile, both.stored_share) == (0.25, 0.75)
    assert SampledCost(1, 1.0, 0, 0, ("cpu",), 1).stored_share == 1.0
