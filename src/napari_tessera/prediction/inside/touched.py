"""Which cells of a grid an outline meets, by arithmetic on its points: no plane is drawn.

Cells are open rectangles, so that a polygon that ends on the edge of a cell does not meet it. A
cell that no side of a polygon crosses lies inside or outside as a whole, as its centre does.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.inside.outlines import Outline

_MOST_BITS = 100
"""Positions above 2 to this power are made smaller, so that their squares are numbers."""

_THIN = 1e-100
"""An ellipse whose area is a smaller part of the square around it is none."""

Edges = NDArray[np.float64]
"""Ascending ends of n cells along an axis: n + 1 of them."""


def touched(outline: Outline, ys: Edges, xs: Edges) -> NDArray[np.bool_]:
    """Find the cells that an outline meets.

    Parameters
    ----------
    outline : Outline
        The shape.
    ys, xs : numpy.ndarray
        Ends of the cells along Y and X, in the outline's coordinates.

    Returns
    -------
    numpy.ndarray of bool
        ``(len(ys) - 1, len(xs) - 1)``.
    """
    corners = outline.corners
    # by a power of two, which rounds nothing
    shrink = 2.0 ** min(_MOST_BITS - int(np.frexp(np.abs(corners).max())[1]), 0)
    corners, ys, xs = corners * shrink, ys * shrink, xs * shrink
    if outline.kind == "ellipse":
        return _ellipse(corners, ys, xs)
    if outline.kind == "path":
        return _crossed(corners[:-1], corners[1:], ys, xs, ends=True)
    starts, stops = corners, np.roll(corners, -1, axis=0)
    return _crossed(starts, stops, ys, xs, ends=False) | _enclosed(starts, stops, ys, xs)


def _crossed(
    starts: NDArray[np.float64], stops: NDArray[np.float64], ys: Edges, xs: Edges, *, ends: bool
) -> NDArray[np.bool_]:
    """Cells that line segments run through; with ``ends`` also along their first edges."""
    low, high = np.minimum(starts[:, 0], stops[:, 0]), np.maximum(starts[:, 0], stops[:, 0])
    side: Literal["left", "right"] = "right" if ends else "left"
    first = np.searchsorted(ys, low, "right") - 1
    last = np.searchsorted(ys, high, side) - 1
    pair, row = _ranges(first, last, len(ys) - 1)
    (y0, x0), (y1, x1) = starts[pair].T, stops[pair].T
    level = y0 == y1
    run = np.where(level, 1.0, y1 - y0)
    # where the segment enters and leaves the row of cells; a nearly level one does within it
    begins, ends_at = (np.clip(edge, low[pair], high[pair]) for edge in (ys[row], ys[row + 1]))
    enter = np.where(level, 0.0, (begins - y0) / run)
    leave = np.where(level, 1.0, (ends_at - y0) / run)
    one, other = x0 + enter * (x1 - x0), x0 + leave * (x1 - x0)
    left = np.searchsorted(xs, np.minimum(one, other), "right") - 1
    right = np.searchsorted(xs, np.maximum(one, other), side) - 1
    return _filled(row, left, right, len(ys) - 1, len(xs) - 1)


def _enclosed(
    starts: NDArray[np.float64], stops: NDArray[np.float64], ys: Edges, xs: Edges
) -> NDArray[np.bool_]:
    """Cells whose centre lies inside a polygon, by the even-odd rule."""
    rows, columns = (ys[:-1] + ys[1:]) / 2, (xs[:-1] + xs[1:]) / 2
    low, high = np.minimum(starts[:, 0], stops[:, 0]), np.maximum(starts[:, 0], stops[:, 0])
    first = np.searchsorted(rows, low, "left")
    last = np.searchsorted(rows, high, "left") - 1
    pair, row = _ranges(first, last, len(rows))
    (y0, x0), (y1, x1) = starts[pair].T, stops[pair].T
    crossing = x0 + (rows[row] - y0) / (y1 - y0) * (x1 - x0)
    turns = np.zeros((len(rows), len(columns) + 1), np.int64)
    np.add.at(turns, (row, np.searchsorted(columns, crossing, "left")), 1)
    inside: NDArray[np.bool_] = turns[:, :-1].cumsum(axis=1) % 2 == 1
    return inside


def _ranges(
    first: NDArray[np.int64], last: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every index first…last that is one of 0…n−1, and of which of the ranges it is."""
    first, last = np.maximum(first, 0), np.minimum(last, n - 1)
    lengths = np.maximum(last - first + 1, 0)
    pair = np.repeat(np.arange(len(first)), lengths)
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return pair, np.arange(len(pair)) - begins + first[pair]


def _filled(
    row: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    n_rows: int,
    n_columns: int,
) -> NDArray[np.bool_]:
    """Cells left…right of each row given."""
    left, right = np.maximum(left, 0), np.minimum(right, n_columns - 1)
    some = left <= right
    steps = np.zeros((n_rows, n_columns + 1), np.int64)
    np.add.at(steps, (row[some], left[some]), 1)
    np.add.at(steps, (row[some], right[some] + 1), -1)
    filled: NDArray[np.bool_] = steps[:, :-1].cumsum(axis=1) > 0
    return filled


def _ellipse(corners: NDArray[np.float64], ys: Edges, xs: Edges) -> NDArray[np.bool_]:
    """Cells that an ellipse meets, found where it is the unit disc and cells are parallelograms."""
    met = np.zeros((len(ys) - 1, len(xs) - 1), np.bool_)
    centre = (corners[0] + corners[2]) / 2
    axes = np.stack([corners[1] - corners[0], corners[3] - corners[0]], axis=1) / 2
    reach = np.sqrt((axes**2).sum(axis=1))
    if abs(np.linalg.det(axes)) <= _THIN * reach.max() ** 2:
        return met
    y0, y1 = _window(ys, centre[0] - reach[0], centre[0] + reach[0])
    x0, x1 = _window(xs, centre[1] - reach[1], centre[1] + reach[1])
    if y0 > y1 or x0 > x1:
        return met
    # far ends of cells are brought near: of a tiny ellipse they are too many radii away
    ys = np.clip(ys[y0 : y1 + 2], centre[0] - 2 * reach[0], centre[0] + 2 * reach[0])
    xs = np.clip(xs[x0 : x1 + 2], centre[1] - 2 * reach[1], centre[1] + 2 * reach[1])
    grid = np.stack(np.meshgrid(ys, xs, indexing="ij"), axis=-1) - centre
    disc = grid @ np.linalg.inv(axes).T
    along_x = _nearest(disc[:, :-1], disc[:, 1:]) < 1
    along_y = _nearest(disc[:-1], disc[1:]) < 1
    inside = along_x[:-1] | along_x[1:] | along_y[:, :-1] | along_y[:, 1:]
    holds_y = (ys[:-1] <= centre[0]) & (centre[0] < ys[1:])
    holds_x = (xs[:-1] <= centre[1]) & (centre[1] < xs[1:])
    met[y0 : y1 + 1, x0 : x1 + 1] = inside | (holds_y[:, None] & holds_x)
    return met


def _window(edges: Edges, low: float, high: float) -> tuple[int, int]:
    """First and last cell that meets what lies between two values."""
    first = int(np.searchsorted(edges, low, "right")) - 1
    last = int(np.searchsorted(edges, high, "left")) - 1
    return max(first, 0), min(last, len(edges) - 2)


def _nearest(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of the origin from line segments."""
    along = other - one
    length = (along**2).sum(-1)
    # ends that are the same are as near as any point between
    share = np.clip(-(one * along).sum(-1) / np.where(length > 0, length, 1), 0, 1)
    nearest: NDArray[np.float64] = np.linalg.norm(one + share[..., None] * along, axis=-1)
    return nearest
