"""Where the lines of a grid run, and which tiles a slice has."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.grid_lines import CORE, OVERLAP, GridSlice


def positions(grid: GridSlice, kind: int, along: int) -> list[float]:
    segments, kinds = grid.lines()
    chosen = segments[kinds == kind]
    across = chosen[chosen[:, 0, along] == chosen[:, 1, along]]
    return sorted(set(across[:, 0, along].tolist()))


def test_lines_are_edges_of_cores_and_of_what_tiles_see() -> None:
    plan = make_plan(noisy((100, 64)), "YX", patch_size=(40, 64), overlaps=(8, 0))
    grid = GridSlice(plan, "YX", {})
    # Tiles start at 0, 32, 60; their cores end at 36 and 68.
    assert positions(grid, CORE, 0) == [0, 35.5, 67.5, 99]
    assert positions(grid, OVERLAP, 0) == [31.5, 39.5, 59.5, 71.5]
    assert positions(grid, CORE, 1) == [0, 63]
    assert positions(grid, OVERLAP, 1) == []


def test_narrow_overlaps_are_left_out() -> None:
    plan = make_plan(noisy((100, 64)), "YX", patch_size=(40, 64), overlaps=(8, 0))
    grid = GridSlice(plan, "YX", {})
    assert (grid.lines(gap=8)[1] == OVERLAP).any()
    assert not (grid.lines(gap=9)[1] == OVERLAP).any()


def test_lines_stay_inside_the_extent_of_the_layer() -> None:
    plan = make_plan(noisy((3, 100, 90)), "ZYX", patch_size=(40, 40))
    segments, _ = GridSlice(plan, "YX", {"Z": 1}).lines()
    assert segments.min() >= 0
    assert segments[..., 0].max() == 99
    assert segments[..., 1].max() == 89


def meeting(plan: PredictionPlan, displayed: str, indices: dict[str, int]) -> list[int]:
    """Tiles of a slice, found one by one."""
    axes = plan.layout.output_axes
    return [
        index
        for index in range(plan.total_tiles)
        if all(
            block.start <= indices[letter] < block.stop
            for letter, block in zip(axes, plan.tiles.block(index), strict=True)
            if letter in indices
        )
    ]


@given(data=st.data())
def test_tiles_of_a_slice_are_those_whose_cores_meet_it(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from(["YX", "ZYX", "TYX", "CYX", "TCZYX", "YXC", "STYX"]))
    sizes = {"S": 2, "T": 3, "C": 2, "Z": 7, "Y": 50, "X": 41}
    dims = 3 if "Z" in axes and data.draw(st.booleans()) else 2
    image = noisy(tuple(sizes[letter] for letter in axes))
    region = {}
    for letter in axes:
        if data.draw(st.booleans()):
            start = data.draw(st.integers(0, sizes[letter] - 1))
            region[letter] = slice(start, data.draw(st.integers(start + 1, sizes[letter])))
    patch = (4, 20, 20)[3 - dims :]
    plan = make_plan(image, axes, Blur(dims), patch_size=patch, overlaps=2, region=region)
    displayed = "".join(data.draw(st.permutations(axes))[:2])
    indices = {a: data.draw(st.integers(0, sizes[a] - 1)) for a in axes if a not in displayed}
    grid = GridSlice(plan, displayed, indices)
    assert grid.tiles.tolist() == meeting(plan, displayed, indices)
    for index, core in zip(grid.tiles, grid.cores, strict=True):
        block = dict(zip(plan.layout.output_axes, plan.tiles.block(int(index)), strict=True))
        for d, letter in enumerate(displayed):
            assert core[:, d].tolist() == [block[letter].start - 0.5, block[letter].stop - 0.5]


def test_a_transposed_view_cuts_every_plane_of_a_2d_model() -> None:
    plan = make_plan(noisy((5, 64, 64)), "ZYX", patch_size=(64, 64))
    grid = GridSlice(plan, "ZX", {"Y": 10})
    assert positions(grid, CORE, 0) == [0, 0.5, 1.5, 2.5, 3.5, 4]
    assert len(grid.tiles) == 5


def test_ten_thousand_tiles_along_an_axis_are_not_drawn() -> None:
    plan = make_plan(np.zeros((8, 40_000), np.uint8), "YX", patch_size=(8, 8), overlaps=(0, 0))
    segments, _ = GridSlice(plan, "YX", {}).lines()
    assert len(segments) == 4
