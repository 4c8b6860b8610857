"""Where patches lie: making a strategy, and asking it for patches, on grids of up to 10^8."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from napari_tessera.patching import (
    FixedRandomPatching,
    Patching,
    RandomPatching,
    SequentialPatching,
    StratifiedPatching,
    TiledPatching,
)

SIDE = 10_000
"""Patches along each axis: 10^8 in all."""
PATCH, OVERLAP = (64, 64), (16, 16)
STEP = 48
SHAPES = [(1, 1, SIDE * STEP + 16, SIDE * STEP + 16)]
PLAIN = [(1, 1, SIDE * 64, SIDE * 64)]

STRATEGIES: dict[str, Callable[[], Patching]] = {
    "tiled": lambda: TiledPatching(SHAPES, PATCH, OVERLAP),
    "tiled, alignment 4": lambda: TiledPatching(SHAPES, PATCH, OVERLAP, alignment=4),
    "sequential": lambda: SequentialPatching(SHAPES, PATCH, OVERLAP),
    "random": lambda: RandomPatching(PLAIN, PATCH, seed=0),
    "fixed random": lambda: FixedRandomPatching(PLAIN, PATCH, seed=0),
    "stratified": lambda: StratifiedPatching(PLAIN, PATCH, seed=0),
}


def some_indices(n_patches: int) -> cycle[int]:
    """Numbers of patches anywhere, to ask for again and again."""
    return cycle(np.random.default_rng(0).integers(0, n_patches, 10_000).tolist())


@pytest.mark.parametrize("make", STRATEGIES.values(), ids=STRATEGIES)
def test_construct(benchmark: Any, make: Callable[[], Patching]) -> None:
    benchmark.group = "construct, 10^8 patches"
    assert benchmark(make).n_patches == pytest.approx(1e8, rel=0.01)


@pytest.mark.parametrize("make", STRATEGIES.values(), ids=STRATEGIES)
def test_get_patch_spec(benchmark: Any, make: Callable[[], Patching]) -> None:
    benchmark.group = "get_patch_spec at a random index of 10^8"
    patching = make()
    indices = some_indices(patching.n_patches)
    benchmark(lambda: patching.get_patch_spec(next(indices)))


def background(side: int) -> list[tuple[int, int]]:
    """Cells outside a disc, as in a field of view whose corners are empty: about 21 %."""
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    cells = np.argwhere(rows**2 + columns**2 > (side / 2) ** 2)
    return [(int(y), int(x)) for y, x in cells]


def with_background_excluded(side: int) -> StratifiedPatching:
    """A square of ``side`` cells a side, without its corners."""
    patching = StratifiedPatching([(1, 1, side * 64, side * 64)], PATCH, seed=0)
    patching.exclude_patches(0, 0, background(side))
    _ = patching.n_patches  # numbers are made when they are asked for
    return patching


@pytest.mark.parametrize("side", [32, 128])
def test_stratified_exclude(benchmark: Any, side: int) -> None:
    benchmark.group = "stratified: exclude the corners of side² cells"
    assert benchmark(with_background_excluded, side).n_patches < side**2


@pytest.mark.parametrize("side", [32, 128])
def test_stratified_draw_with_exclusions(benchmark: Any, side: int) -> None:
    benchmark.group = "stratified: a draw, corners of side² cells excluded"
    patching = with_background_excluded(side)
    indices = some_indices(patching.n_patches)
    benchmark(lambda: patching.get_patch_spec(next(indices)))


@pytest.mark.parametrize("side", [32, 128])
def test_stratified_set_region_probs(benchmark: Any, side: int) -> None:
    benchmark.group = "stratified: probabilities of side² regions"
    rng = np.random.default_rng(0)
    patching = StratifiedPatching([(1, 1, side * 64, side * 64)], PATCH, seed=0)
    cells = patching.get_included_grid_coords()[0, 0]
    probabilities = dict(zip(cells, rng.random(len(cells)).tolist(), strict=True))

    def change() -> int:
        patching.set_region_probs(0, 0, probabilities)
        return patching.n_patches

    assert benchmark(change) < side**2
