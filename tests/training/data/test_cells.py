"""Cells of a patch's size: how they are cut up, and what is added up in them."""

from __future__ import annotations

import tracemalloc
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks import ArrayStack
from napari_tessera.training.data import cells, foreground
from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.foreground import Foreground
from napari_tessera.training.data.images import open_images

from .kinds import Recording, noise, settings


@st.composite
def grids(draw: st.DrawFn) -> CellGrid:
    """Grids in 1D to 3D, with and without a rest."""
    sizes = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 30)), min_size=1, max_size=3))
    return CellGrid(tuple(p + more for p, more in sizes), tuple(p for p, _ in sizes))


@given(grids(), st.integers(1, 400), st.none() | st.integers(1, 20))
def test_blocks_cover_each_cell_once_and_are_small(
    grid: CellGrid, most: int, chunk: int | None
) -> None:
    covered = np.zeros(grid.shape, int)
    chunks = None if chunk is None else [chunk] * len(grid.shape)
    for block in grid.blocks(most, chunks):
        covered[tuple(slice(*along) for along in block)] += 1
        of = grid.of(block)
        assert of.shape == tuple(stop - start for start, stop in block)
        whole = [n * p for n, p in zip(of.shape, of.patch, strict=True)]
        assert prod(whole) <= max(most, prod(grid.patch)) * 2 ** len(whole)
    assert (covered == 1).all()


@given(grids(), st.integers(1, 400), st.sampled_from([np.bool_, np.uint8, np.int16, np.float32]))
def test_sums_of_blocks_are_those_of_the_whole(grid: CellGrid, most: int, dtype: Any) -> None:
    pixels = np.random.default_rng(0).normal(50, 40, grid.space).clip(0, 255).astype(dtype)
    expected = pixels.astype(np.float64)
    for axis in range(len(grid.shape)):
        starts = np.arange(grid.shape[axis]) * grid.patch[axis]
        expected = np.add.reduceat(expected, starts, axis=axis)
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(cells, "_SUMMED", most)
        sums = grid.sums(pixels)
    np.testing.assert_allclose(sums, expected, rtol=1e-12)
    np.testing.assert_array_equal(sums, grid.sums(pixels))
    np.testing.assert_allclose(grid.means(np.ones(grid.space)), np.ones(grid.shape))


@given(st.integers(9, 50), st.integers(9, 50), st.integers(2, 9), st.integers(1, 40))
def test_an_estimate_in_strips_is_that_of_the_whole(
    height: int, width: int, patch: int, chunk: int
) -> None:
    image = noise((2, 3, height, width)) + np.arange(width, dtype=np.uint16) // 9 * 40
    image[1, 1] = 7
    grid = CellGrid((height, width), (patch, patch))
    whole = Foreground(open_images(ArrayStack(image, "TCYX"), None, settings()), grid)

    class Chunked(Recording):
        chunks = (1, 1, chunk, width)

    stack = Chunked(image, "TCYX")
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(foreground, "_READ_PIXELS", 1)
        strips = Foreground(open_images(stack, None, settings()), grid)
    assert strips.thresholds == whole.thresholds
    for sample in range(2):
        np.testing.assert_array_equal(strips.shares(sample), whole.shares(sample))
    assert (stack.counts() == 1).all()
    assert all(at[0] % chunk == 0 for _, at, _ in stack.reads), "no chunk is decoded twice"


def test_of_a_large_plane_nothing_as_large_is_made() -> None:
    plane = np.ones((4096, 4096), np.uint8)
    grid = CellGrid(plane.shape, (64, 64))
    tracemalloc.start()
    try:
        grid.sums(plane)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < plane.nbytes
