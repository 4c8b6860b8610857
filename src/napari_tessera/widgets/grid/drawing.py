"""What of a tile grid is drawn at a zoom: never more than some thousand shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.grid.detail import StateMap, block_size
from napari_tessera.widgets.grid.grid_slice import AxisTiles, GridSlice
from napari_tessera.widgets.grid.look import LOOKS, ORANGE, SKY
from napari_tessera.widgets.grid.mesh import Mesh
from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING, SKIPPED, TileStates

LINE_WIDTH = 1.2
"""Width of the grid's lines, in canvas pixels."""

LINE_GAP = 5.0
"""Lines nearer to each other than so many canvas pixels are left out: they would be a grey area."""

CASING_GAP = 10.0
"""Lines have casings where they are so many canvas pixels away from each other."""

READ_GAP = 12.0
"""Where tiles read beyond their cores is drawn from so many canvas pixels of overlap on."""

MARK_SIZE = 24.0
"""Edge of the smallest tile, or block of tiles, that is marked, in canvas pixels."""

RUNNING_SIZE = 12.0
"""Edge of the smallest frame around a tile that is at work, in canvas pixels."""

MAX_MARKS = 1000
"""Most tiles or blocks in view that are marked one by one."""

MAX_RECTANGLES = 1500
"""Most rectangles that states are laid over the image with."""

MAX_TILES = 2**20
"""Most tiles whose states are looked at for one drawing; of more every second, fourth …"""

MAX_RUNNING = 256
"""Most tiles at work that are framed."""

_WASHED_NEAR, _WASHED_FAR = (FAILED, SKIPPED), (DONE, FAILED, SKIPPED)


@dataclass(frozen=True)
class Window:
    """The part of a slice that is drawn.

    Parameters
    ----------
    low, high : tuple of float
        Bounds along both displayed axes, in data coordinates.
    pixel : tuple of float
        Length of a canvas pixel along both axes, in data pixels.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    pixel: tuple[float, float]


def draw_grid(grid: GridSlice, states: TileStates, window: Window) -> Mesh:
    """Draw lines and states of the tiles in a window.

    Where tiles are large enough each has its mark. Where they are not, states are laid over the
    image tile by tile, and marks stand on blocks of tiles that are alike.
    """
    mesh = Mesh(window.pixel)
    near, first = _states_in(grid, states, window)
    if near.states.size:
        cell = min(
            float(np.median(bounds[:, 1] - bounds[:, 0])) / pixel
            for bounds, pixel in zip((near.rows, near.columns), window.pixel, strict=True)
        )
        size = block_size(cell, near.states.size, MARK_SIZE, MAX_MARKS)
        _wash(mesh, near, first, size > 1)
        _lines(mesh, grid, window)
        blocks = near.blocks(size, first)
        for state in (SKIPPED, DONE, FAILED):
            _marks(mesh, blocks.cells(state), state)
    else:
        _lines(mesh, grid, window)
    _frames(mesh, grid, states, window)
    return mesh


def _states_in(
    grid: GridSlice, states: TileStates, window: Window
) -> tuple[StateMap, tuple[int, int]]:
    """States of the tiles that meet the window, and the numbers of first row and column."""
    matrix = grid.matrix(states.values)
    ranges = [
        axis.within(low, high)
        for axis, low, high in zip(grid.axes, window.low, window.high, strict=True)
    ]
    if not matrix.size:
        ranges = [(0, 0), (0, 0)]
    bounds = [
        np.stack([axis.starts[a:b], axis.stops[a:b]], axis=-1)
        for axis, (a, b) in zip(grid.axes, ranges, strict=True)
    ]
    (top, bottom), (left, right) = ranges
    shown = StateMap(matrix[top:bottom, left:right], bounds[0], bounds[1])
    return shown.sampled(MAX_TILES), (top, left)


def _wash(mesh: Mesh, near: StateMap, first: tuple[int, int], far: bool) -> None:
    """Lay colours over tiles, by few rectangles."""
    wanted = _WASHED_FAR if far else _WASHED_NEAR
    size = 1
    while True:
        bounds, states = near.blocks(size, first).rectangles(wanted)
        if len(bounds) <= MAX_RECTANGLES:
            break
        size *= 2
    colours = np.zeros((max(LOOKS) + 1, 4))
    for state, look in LOOKS.items():
        colours[state] = look.far_wash if far else look.wash
    mesh.rectangles(bounds, colours[states])


def _lines(mesh: Mesh, grid: GridSlice, window: Window) -> None:
    """Edges of cores and of what tiles read beyond them, as far as there is room for them."""
    reads, cores = [], []
    cased = True
    for d, axis in enumerate(grid.axes):
        low, high = window.low[d], window.high[d]
        pixel, other = window.pixel[d], grid.axes[1 - d]
        start, stop = max(window.low[1 - d], 0), min(window.high[1 - d], other.size - 1)
        border = np.array([0.0, axis.size - 1.0])
        border = border[(border >= low) & (border <= high)]
        edges = axis.edges[_between(axis.edges, low, high)]
        gap = _gap(axis) / pixel
        cased &= gap >= CASING_GAP
        if gap < LINE_GAP:
            edges = edges[:0]
        elif axis.overlap >= READ_GAP * pixel:
            found = axis.reads[_between(axis.reads, low, high)]
            reads.append(_across(found, d, start, stop))
        cores.append(_across(np.concatenate([border, edges]), d, start, stop))
    for lines in reads:
        mesh.strokes(lines, 1, (*ORANGE, 0.4), cased=False)
    mesh.strokes(np.concatenate(cores), LINE_WIDTH, (*SKY, 0.9 if cased else 0.6), cased=cased)


def _between(positions: NDArray[np.float64], low: float, high: float) -> slice:
    return slice(int(np.searchsorted(positions, low)), int(np.searchsorted(positions, high)))


def _gap(axis: AxisTiles) -> float:
    """Distance of lines, in data pixels."""
    if len(axis.edges) < 2:
        return float("inf")
    return float(axis.edges[-1] - axis.edges[0]) / (len(axis.edges) - 1)


def _across(
    positions: NDArray[np.float64], d: int, start: float, stop: float
) -> NDArray[np.float64]:
    """Lines at positions along one axis, from start to stop along the other."""
    ends = np.zeros((len(positions), 2, 2))
    ends[:, :, d] = positions[:, np.newaxis]
    ends[:, 0, 1 - d], ends[:, 1, 1 - d] = start, stop
    return ends


def _marks(mesh: Mesh, cells: NDArray[np.float64], state: int) -> None:
    """Draw the mark of a state on some tiles or blocks."""
    look = LOOKS[state]
    if not len(cells) or not look.strokes:
        return
    edges = (cells[:, 1] - cells[:, 0]) / mesh.pixel
    if np.isfinite(look.largest):
        edge = np.minimum(edges.min(axis=1) * look.share, look.largest)
        extent = np.stack([edge, edge], axis=-1)
    else:
        extent = edges
    origin = (edges - extent) / 2
    if look.inset:
        origin = np.minimum(origin, look.inset)
    origin = cells[:, 0] + origin * mesh.pixel
    shape = np.array(look.strokes)
    ends = origin[:, np.newaxis, np.newaxis] + (
        shape * extent[:, np.newaxis, np.newaxis] * np.asarray(mesh.pixel)
    )
    hatched = state == SKIPPED
    colour = (*look.colour, 0.6 if hatched else 1.0)
    mesh.strokes(ends.reshape(-1, 2, 2), look.width, colour, cased=not hatched)


def _frames(mesh: Mesh, grid: GridSlice, states: TileStates, window: Window) -> None:
    """Draw a frame in each tile at work, so large that it is seen."""
    places = grid.places(states.running[:MAX_RUNNING])
    if not len(places):
        return
    rows, columns = grid.axes
    at = places[:, 0], places[:, 1]
    cells = np.stack(
        [
            np.stack([rows.starts[at[0]], columns.starts[at[1]]], axis=-1),
            np.stack([rows.stops[at[0]], columns.stops[at[1]]], axis=-1),
        ],
        axis=1,
    )
    middle, half = cells.mean(axis=1), (cells[:, 1] - cells[:, 0]) / 2
    look = LOOKS[RUNNING]
    pixel = np.asarray(window.pixel)
    # Inside the lines of the grid, where there is room.
    half = np.maximum(half - (look.width / 2 + 1) * pixel, RUNNING_SIZE / 2 * pixel)
    cells = np.stack([middle - half, middle + half], axis=1)
    mesh.rectangles(cells, look.wash)
    corners = np.array(look.strokes)
    ends = cells[:, np.newaxis, np.newaxis, 0] + corners * (2 * half)[:, np.newaxis, np.newaxis]
    mesh.strokes(ends.reshape(-1, 2, 2), look.width, (*look.colour, 1.0))
