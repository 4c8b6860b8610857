"""Cells that outlines meet, against rasters of every pixel and points along every side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from napari_tessera.prediction.inside.outlines import Outline
from napari_tessera.prediction.inside.touched import touched

SIZE = 40
CLOSE = 1e-6


@st.composite
def cell_edges(draw: st.DrawFn) -> np.ndarray:
    """Ends of the cells over pixels 0…SIZE−1: at halves."""
    inner = draw(st.sets(st.integers(1, SIZE - 1), max_size=6))
    return np.array([0, *sorted(inner), SIZE]) - 0.5


numbers = st.integers(-10, SIZE + 10).map(float) | st.floats(-10, SIZE + 10, width=32)
points = st.tuples(numbers, numbers)


def raster_of(pixels: np.ndarray, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """Cells that have a pixel."""
    rows, columns = (edges[:-1] + 0.5 for edges in (ys, xs))
    some = np.logical_or.reduceat(pixels, rows.astype(int), axis=0)
    return np.logical_or.reduceat(some, columns.astype(int), axis=1)


def holding(at: np.ndarray, ys: np.ndarray, xs: np.ndarray, margin: float) -> np.ndarray:
    """Cells, made smaller by a margin on each side, that hold one of some points."""
    held = np.zeros((len(ys) - 1, len(xs) - 1), bool)
    for row in range(len(ys) - 1):
        in_row = (at[:, 0] > ys[row] + margin) & (at[:, 0] < ys[row + 1] - margin)
        for column in range(len(xs) - 1):
            x = at[in_row, 1]
            held[row, column] = ((x > xs[column] + margin) & (x < xs[column + 1] - margin)).any()
    return held


def along(corners: np.ndarray, *, closed: bool) -> np.ndarray:
    """Many points of each side."""
    stops = np.roll(corners, -1, axis=0) if closed else corners[1:]
    starts = corners if closed else corners[:-1]
    share = np.linspace(0, 1, 400)[:, None, None]
    return (starts + share * (stops - starts)).reshape(-1, 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(points, min_size=3, max_size=8), cell_edges(), cell_edges())
def test_polygons_meet_the_cells_of_their_pixels_and_those_their_sides_cross(
    corners: list[tuple[float, float]], ys: np.ndarray, xs: np.ndarray
) -> None:
    outline = Outline(tuple(corners))
    met = touched(outline, ys, xs)
    raster = raster_of(polygon2mask((SIZE, SIZE), outline.corners), ys, xs)
    assert not (raster & ~met).any(), "a cell with a pixel inside is left out"
    sides = along(outline.corners, closed=True)
    assert not (holding(sides, ys, xs, CLOSE) & ~met).any(), "a cell that is crossed is left out"
    # what has no pixel inside is crossed between them, as closely as points were taken
    assert not (met & ~raster & ~holding(sides, ys, xs, -0.15)).any()


def stairs(draw_from: np.random.Generator) -> np.ndarray:
    """A polygon of horizontal and vertical sides between pixels, its hole joined by a bridge."""
    y0, x0 = draw_from.integers(0, 15, 2)
    y1, x1 = draw_from.integers(22, SIZE, 2)
    a, b = draw_from.integers(y0 + 1, 19), draw_from.integers(x0 + 1, 19)
    c, d = draw_from.integers(a + 1, 21), draw_from.integers(b + 1, 21)
    outer = [(y0, x0), (y0, x1), (y1, x1), (y1, x0), (y0, x0)]
    hole = [(a, b), (c, b), (c, d), (a, d), (a, b)]
    return np.array([*outer, *hole]) - 0.5


@given(st.integers(0, 2**32 - 1), cell_edges(), cell_edges())
def test_a_hole_is_left_out_and_what_ends_on_a_cells_edge_does_not_meet_it(
    seed: int, ys: np.ndarray, xs: np.ndarray
) -> None:
    corners = stairs(np.random.default_rng(seed))
    met = touched(Outline(tuple(map(tuple, corners))), ys, xs)
    raster = raster_of(polygon2mask((SIZE, SIZE), corners), ys, xs)
    bridge = np.linspace(corners[4], corners[5], 500)
    both = holding(bridge, ys, xs, 0)
    assert np.array_equal(met & ~both, raster & ~both)
    assert not (raster & ~met).any()


def test_the_inside_of_a_hole_is_outside() -> None:
    corners = [
        (0, 0),
        (0, 39),
        (39, 39),
        (39, 0),
        (0, 0),
        (9, 9),
        (29, 9),
        (29, 29),
        (9, 29),
        (9, 9),
    ]
    edges = np.arange(0, 41, 4) - 0.5
    met = touched(Outline(tuple(corners)), edges, edges)
    assert met[0].all()
    assert not met[3:7, 3:7].any()


@settings(max_examples=60, deadline=None)
@given(
    points,
    st.tuples(numbers, numbers).filter(lambda v: np.hypot(*v) > 1),
    st.floats(0.1, 3),
    st.floats(0.3, np.pi - 0.3),
    cell_edges(),
    cell_edges(),
)
def test_ellipses_meet_the_cells_of_their_pixels_and_of_their_line(
    centre: tuple[float, float],
    axis: tuple[float, float],
    ratio: float,
    angle: float,
    ys: np.ndarray,
    xs: np.ndarray,
) -> None:
    u = np.array(axis)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    v = ratio * turn @ u
    middle = np.array(centre)
    corners = np.array([middle - u - v, middle + u - v, middle + u + v, middle - u + v])
    met = touched(Outline(tuple(map(tuple, corners)), "ellipse"), ys, xs)
    grid = np.stack(np.mgrid[:SIZE, :SIZE], axis=-1) - middle
    inside = (np.linalg.norm(grid @ np.linalg.inv(np.stack([u, v], 1)).T, axis=-1)) < 1 - CLOSE
    raster = raster_of(inside, ys, xs)
    assert not (raster & ~met).any(), "a cell with a pixel inside is left out"
    turns = np.linspace(0, 2 * np.pi, 4000)[:, None]
    line = middle + np.cos(turns) * u + np.sin(turns) * v
    assert not (holding(line, ys, xs, 1e-3) & ~met).any(), "a cell that is crossed is left out"
    assert not (met & ~raster & ~holding(line, ys, xs, -0.3)).any()


@settings(max_examples=60, deadline=None)
@given(st.lists(points, min_size=2, max_size=6), cell_edges(), cell_edges())
def test_paths_meet_what_they_cross(
    corners: list[tuple[float, float]], ys: np.ndarray, xs: np.ndarray
) -> None:
    outline = Outline(tuple(corners), "path")
    met = touched(outline, ys, xs)
    line = along(outline.corners, closed=False)
    assert not (holding(line, ys, xs, CLOSE) & ~met).any()
    assert not (met & ~holding(line, ys, xs, -0.15)).any()


@pytest.mark.parametrize("size", [1e20, 1e200, 1e308])
@pytest.mark.parametrize("kind", ["polygon", "ellipse", "path"])
def test_what_reaches_beyond_all_numbers_is_cut(kind: str, size: float) -> None:
    edges = np.arange(0, 41, 10) - 0.5
    corners = [(-size, -size), (-size, size), (size, size), (size, -size)]
    met = touched(Outline(tuple(corners), kind), edges, edges)
    assert met.all() == (kind != "path"), "all lies far inside"
    assert met.any() == (kind != "path")
    half = [(-size, -size), (-size, 15.0), (size, 15.0), (size, -size)]
    met = touched(Outline(tuple(half)), edges, edges)
    assert met.tolist() == [[True, True, False, False]] * 4
    across = touched(Outline(((15.0, -size), (15.0, size)), "path"), edges, edges)
    assert across.tolist() == [[False] * 4, [True] * 4, [False] * 4, [False] * 4]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["polygon", "ellipse", "path"]),
    st.lists(
        st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), min_size=4, max_size=4
    ),
    cell_edges(),
)
def test_any_numbers_are_taken_without_a_warning(
    kind: str, corners: list[tuple[float, float]], edges: np.ndarray
) -> None:
    assert touched(Outline(tuple(corners), kind), edges, edges).shape == (len(edges) - 1,) * 2


def test_an_ellipse_smaller_than_its_square_can_be_is_no_error() -> None:
    edges = np.arange(0, 41, 10) - 0.5
    for size in (1e-3, 1e-100, 1e-155, 1e-200):
        corners = [(0, 0), (0, size), (size, size), (size, 0)]
        met = touched(Outline(tuple(corners), "ellipse"), edges, edges)
        assert np.count_nonzero(met) == met[0, 0]


def test_a_line_between_two_cells_meets_one_of_them() -> None:
    edges = np.array([-0.5, 9.5, 19.5])
    met = touched(Outline(((9.5, 2), (9.5, 5)), "path"), edges, edges)
    assert met.tolist() == [[False, False], [True, False]]
    dot = touched(Outline(((3.0, 12.0), (3.0, 12.0)), "path"), edges, edges)
    assert dot.tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    ("kind", "corners"),
    [
        ("polygon", [(0, 0), (30, 30), (10, 10)]),
        ("ellipse", [(0, 0), (0, 30), (0, 30), (0, 0)]),
    ],
)
def test_what_has_no_area_is_no_error(kind: str, corners: list[tuple[float, float]]) -> None:
    edges = np.arange(0, 41, 10) - 0.5
    met = touched(Outline(tuple(corners), kind), edges, edges)
    assert met.any() == (kind == "polygon")


def test_nothing_is_met_far_away() -> None:
    edges = np.arange(0, 41, 10) - 0.5
    for kind, corners in [
        ("polygon", [(-20, -20), (-20, -5), (-5, -5)]),
        ("ellipse", [(90, 90), (90, 99), (99, 99), (99, 90)]),
        ("path", [(-3, 5), (-3, 90)]),
    ]:
        assert not touched(Outline(tuple(corners), kind), edges, edges).any()


def test_a_plane_of_a_hundred_thousand_pixels_is_never_drawn() -> None:
    edges = np.linspace(0, 100_000, 501) - 0.5
    turns = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    corners = 50_000 + 30_000 * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    met = touched(Outline(tuple(map(tuple, corners))), edges, edges)
    centres = (edges[:-1] + edges[1:]) / 2 - 50_000
    far = np.hypot(*np.meshgrid(centres, centres, indexing="ij"))
    assert met[far < 29_800].all()
    assert not met[far > 30_200].any()
