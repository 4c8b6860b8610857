"""What of a grid is drawn at a zoom, and that it is never much."""

from __future__ import annotations

import numpy as np
import pytest
from tests.widgets.conftest import make_plan, noisy
from tests.widgets.grid.counting import quads_of

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.grid.drawing import (
    LINE_GAP,
    MAX_MARKS,
    MAX_RECTANGLES,
    MAX_RUNNING,
    Window,
    draw_grid,
)
from napari_tessera.widgets.grid.grid_slice import GridSlice
from napari_tessera.widgets.grid.look import LOOKS, ORANGE, SKY
from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING, SKIPPED, TileStates

CANVAS = (900, 1200)
"""Height and width, in canvas pixels."""

MOST_LINES = 2 * (CANVAS[0] + CANVAS[1]) // LINE_GAP + 8
MOST_QUADS = 4 * MAX_MARKS + MAX_RECTANGLES + 9 * MAX_RUNNING + 2 * MOST_LINES


def plan_of(edge: int) -> PredictionPlan:
    """A plan with edge × edge tiles."""
    size = 200 * (edge - 1) + 256
    image = np.broadcast_to(np.uint8(7), (size, size))
    return make_plan(image, "YX", patch_size=(256, 256), overlaps=(56, 56))


def window_of(plan: PredictionPlan, zoom: float) -> Window:
    """The middle of the image at so many canvas pixels a pixel."""
    middle = np.array(plan.layout.shape) / 2
    half = np.array(CANVAS) / zoom / 2
    (top, left), (bottom, right) = (middle - half).tolist(), (middle + half).tolist()
    return Window((top, left), (bottom, right), (1 / zoom, 1 / zoom))


@pytest.fixture(scope="module")
def many() -> PredictionPlan:
    plan = plan_of(317)
    assert plan.tiles.n_tiles == 100_489
    return plan


@pytest.mark.parametrize("zoom", [0.005, 0.0136, 0.03, 0.09, 0.12, 0.3, 1, 8])
@pytest.mark.parametrize("kind", ["waiting", "done", "scattered", "in order", "all at work"])
def test_a_hundred_thousand_tiles_are_some_thousand_shapes(
    many: PredictionPlan, zoom: float, kind: str
) -> None:
    n = many.tiles.n_tiles
    states = TileStates(n)
    if kind == "done":
        states = TileStates(n, done=range(n))
    elif kind == "scattered":
        rng = np.random.default_rng(0)
        states.mark(rng.integers(0, n, n // 2), rng.integers(0, n, 999), rng.integers(0, n, 9999))
    elif kind == "in order":
        states = TileStates(n, done=range(n // 3))
    elif kind == "all at work":
        states.mark((), range(n))
    mesh = draw_grid(GridSlice(many, "YX", {}), states, window_of(many, zoom))
    assert len(mesh) <= MOST_QUADS
    # Where nothing is done yet, and lines would be a grey area, there is nothing to be seen.
    assert len(mesh) > 0 or kind == "waiting"


def test_ten_million_tiles_too() -> None:
    plan = plan_of(3200)
    states = TileStates(plan.tiles.n_tiles, done=np.arange(0, plan.tiles.n_tiles, 2))
    mesh = draw_grid(GridSlice(plan, "YX", {}), states, window_of(plan, 0.0013))
    assert 0 < len(mesh) <= MOST_QUADS


def test_each_state_has_a_shape_and_a_colour_of_its_own() -> None:
    plan = make_plan(noisy((400, 500)), "YX", patch_size=(100, 100), overlaps=(0, 0))
    assert plan.tiles.shape == (4, 5)
    skipped = np.arange(20) >= 17
    states = TileStates(20, skipped, done=range(7))
    states.mark((), (7, 8), failed=(10, 11, 12))
    window = Window((0, 0), (400, 500), (1, 1))
    mesh = draw_grid(GridSlice(plan, "YX", {}), states, window)
    colours = mesh.build((400, 500))[2][::4]
    assert quads_of(colours, LOOKS[DONE].colour) == 2 * 7
    assert quads_of(colours, LOOKS[RUNNING].colour) == 4 * 2 + 2
    assert quads_of(colours, LOOKS[FAILED].colour) == 2 * 3 + 1
    assert quads_of(colours, LOOKS[SKIPPED].colour) == 3 * 3
    # Inner edges and the border of the image.
    assert quads_of(colours, SKY) == 3 + 4 + 4
    assert quads_of(colours, ORANGE) == 0


def test_far_away_states_are_laid_over_tiles_and_marks_stand_on_blocks() -> None:
    plan = make_plan(noisy((400, 400)), "YX", patch_size=(10, 10), overlaps=(0, 0))
    states = TileStates(1600, done=range(800))
    grid, window = GridSlice(plan, "YX", {}), Window((0, 0), (400, 400), (1, 1))
    colours = draw_grid(grid, states, window).build((400, 400))[2][::4]
    near = [shade for shade in colours if np.allclose(shade, LOOKS[DONE].far_wash)]
    assert len(near) == 1
    # Blocks of 4 × 4 tiles.
    assert quads_of(colours, LOOKS[DONE].colour) - 1 == 2 * 5 * 10


def test_lines_are_drawn_where_there_is_room_for_them() -> None:
    plan = make_plan(noisy((400, 400)), "YX", patch_size=(50, 50), overlaps=(10, 10))
    grid, states = GridSlice(plan, "YX", {}), TileStates.of(plan)
    for pixel, cores, reads in ((1.0, 18 + 4, 0), (0.5, 18 + 4, 36), (9.0, 4, 0)):
        window = Window((0, 0), (400, 400), (pixel, pixel))
        colours = draw_grid(grid, states, window).build((400, 400))[2][::4]
        assert quads_of(colours, SKY) == cores
        assert quads_of(colours, ORANGE) == reads


def test_tiles_at_work_are_seen_from_far_away() -> None:
    plan = plan_of(317)
    states = TileStates(plan.tiles.n_tiles)
    states.mark((), (50_000,))
    window = window_of(plan, 0.0136)
    vertices, _, colours = draw_grid(GridSlice(plan, "YX", {}), states, window).build(
        plan.layout.shape
    )
    yellow = np.isclose(colours[:, :3], LOOKS[RUNNING].colour, atol=1e-3).all(axis=1)
    assert (np.ptp(vertices[yellow], axis=0) * 0.0136 >= 12).all()


def test_nothing_but_lines_where_the_area_has_no_tiles() -> None:
    plan = make_plan(noisy((3, 64, 64)), "ZYX", patch_size=(32, 32), region={"Z": slice(0, 1)})
    states = TileStates.of(plan, done=range(plan.tiles.n_tiles))
    window = Window((0, 0), (64, 64), (0.1, 0.1))
    for z, ticks in ((0, 2 * plan.tiles.n_tiles), (1, 0)):
        colours = draw_grid(GridSlice(plan, "YX", {"Z": z}), states, window).build((64, 64))[2]
        assert quads_of(colours[::4], LOOKS[DONE].colour) == ticks
        assert quads_of(colours[::4], SKY) > 4
