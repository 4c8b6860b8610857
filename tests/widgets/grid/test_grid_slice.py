"""Where tiles of a slice lie, and which ones they are, against tiles looked at one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.grid.grid_slice import GridSlice
from napari_tessera.widgets.grid.tile_states import DONE, WAITING

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 7, "Y": 50, "X": 41}


@st.composite
def slices(draw: st.DrawFn) -> GridSlice:
    axes = draw(st.sampled_from(["YX", "ZYX", "TYX", "CYX", "TCZYX", "YXC", "STYX"]))
    dims = 3 if "Z" in axes and draw(st.booleans()) else 2
    image = noisy(tuple(SIZES[letter] for letter in axes))
    region = {}
    for letter in axes:
        if draw(st.booleans()):
            start = draw(st.integers(0, SIZES[letter] - 1))
            region[letter] = slice(start, draw(st.integers(start + 1, SIZES[letter])))
    patch = (4, 20, 20)[3 - dims :]
    plan = make_plan(image, axes, Blur(dims), patch_size=patch, overlaps=2, region=region)
    displayed = "".join(draw(st.permutations(axes))[:2])
    indices = {a: draw(st.integers(0, SIZES[a] - 1)) for a in axes if a not in displayed}
    return GridSlice(plan, displayed, indices)


def meeting(grid: GridSlice) -> list[int]:
    """Tiles of a slice, found one by one."""
    plan = grid.plan
    return [
        index
        for index in range(plan.tiles.n_tiles)
        if all(
            block.start <= grid.indices[letter] < block.stop
            for letter, block in zip(plan.layout.output_axes, plan.tiles.block(index), strict=True)
            if letter in grid.indices
        )
    ]


@settings(max_examples=30)
@given(slices())
def test_every_tile_of_a_slice_has_its_place(grid: GridSlice) -> None:
    plan, rows, columns = grid.plan, *grid.axes
    wanted = meeting(grid)
    assert grid.matrix(np.zeros(plan.tiles.n_tiles, np.uint8)).size == len(wanted)
    for index in wanted:
        states = np.zeros(plan.tiles.n_tiles, np.uint8)
        states[index] = DONE
        [(row, column)] = np.argwhere(grid.matrix(states) == DONE).tolist()
        assert grid.places(np.array([index])).tolist() == [[row, column]]
        block = dict(zip(plan.layout.output_axes, plan.tiles.block(index), strict=True))
        for letter, axis, at in zip(grid.displayed, (rows, columns), (row, column), strict=True):
            assert axis.starts[at] == block[letter].start - 0.5
            assert axis.stops[at] == block[letter].stop - 0.5
    others = np.setdiff1d(np.arange(plan.tiles.n_tiles), wanted)
    assert grid.places(others).shape == (0, 2)


@given(size=st.integers(1, 400), patch=st.integers(1, 60), half=st.integers(0, 29))
def test_edges_are_those_of_tiles(size: int, patch: int, half: int) -> None:
    overlap = min(2 * half, (patch - 1) // 2 * 2)
    image = np.zeros((size, 8), np.uint8)
    plan = make_plan(image, "YX", patch_size=(patch, 8), overlaps=(overlap, 0))
    axis = plan.patching.axes(0)[0]
    [along, _] = GridSlice(plan, "YX", {}).axes
    tiles = [axis.tile(i) for i in range(axis.n)]
    assert along.edges.tolist() == [stitch - 0.5 for *_, stitch in tiles[1:]]
    starts = [start - 0.5 for start, *_ in tiles[1:]]
    stops = [start + axis.patch - 0.5 for start, *_ in tiles[:-1]]
    wanted = sorted(edge for edge in starts + stops if edge < size - 1)
    assert along.reads.tolist() == (wanted if axis.overlap else [])


def test_lines_are_edges_of_cores_and_of_what_tiles_read() -> None:
    plan = make_plan(noisy((100, 64)), "YX", patch_size=(40, 64), overlaps=(8, 0))
    rows, columns = GridSlice(plan, "YX", {}).axes
    # Tiles start at 0, 32, 60; their cores end at 36 and 68.
    assert rows.edges.tolist() == [35.5, 67.5]
    assert rows.reads.tolist() == [31.5, 39.5, 59.5, 71.5]
    assert columns.edges.tolist() == columns.reads.tolist() == []


def test_a_transposed_view_cuts_every_plane_of_a_2d_model() -> None:
    plan = make_plan(noisy((5, 64, 64)), "ZYX", patch_size=(64, 64))
    grid = GridSlice(plan, "ZX", {"Y": 10})
    assert grid.axes[0].edges.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert grid.matrix(np.zeros(5, np.uint8)).shape == (5, 1)


def test_colours_of_an_rgb_layer_are_seen_together() -> None:
    plan: PredictionPlan = make_plan(noisy((64, 32, 3)), "YXC", patch_size=(32, 32), overlaps=0)
    assert plan.tiles.axes == "CYX"
    grid = GridSlice(plan, "YX", {})
    states = np.zeros(plan.tiles.n_tiles, np.uint8)
    states[[0, 2]] = DONE
    assert grid.matrix(states).tolist() == [[WAITING], [WAITING]]
    states[4] = DONE
    assert grid.matrix(states).tolist() == [[DONE], [WAITING]]
    assert grid.places(np.array([0, 4, 5])).tolist() == [[0, 0], [0, 0], [1, 0]]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(-9, 200, (0, 3)), (0, 1, (0, 1)), (35.5, 36, (1, 2)), (30, 70, (0, 3)), (300, 400, (3, 3))],
)
def test_tiles_within(low: float, high: float, wanted: tuple[int, int]) -> None:
    plan = make_plan(noisy((100, 64)), "YX", patch_size=(40, 64), overlaps=(8, 0))
    assert GridSlice(plan, "YX", {}).axes[0].within(low, high) == wanted
