"""How much of the states can be told apart at a zoom: runs of tiles, and blocks of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING, SKIPPED, WAITING


@dataclass(frozen=True)
class StateMap:
    """States of cells that lie in rows and columns: tiles, or blocks of them.

    Parameters
    ----------
    states : numpy.ndarray
        (R, C) state of each cell.
    rows, columns : numpy.ndarray
        (R, 2) and (C, 2) start and stop of each row and column, in data coordinates.
    """

    states: NDArray[np.uint8]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def sampled(self, most: int) -> StateMap:
        """Every n-th tile, as large as n × n of them, so that no more than so many are left."""
        step = 1
        while -(-self.states.shape[0] // step) * -(-self.states.shape[1] // step) > most:
            step *= 2
        if step == 1:
            return self
        return StateMap(
            self.states[::step, ::step], _merged(self.rows, step), _merged(self.columns, step)
        )

    def blocks(self, size: int, first: tuple[int, int] = (0, 0)) -> StateMap:
        """Blocks of size × size tiles, each with one state for all of them.

        A block in which a tile failed is failed; one in which nothing is left to do is done, or
        skipped where all of it is; any other one waits.

        Parameters
        ----------
        size : int
            Tiles along each edge of a block.
        first : tuple of int
            Numbers of the first row and column: blocks begin at multiples of their size, so that
            they do not change while one pans.
        """
        if size == 1 or not self.states.size:
            return self
        at = [_block_starts(n, size, f) for n, f in zip(self.states.shape, first, strict=True)]

        def count(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
            along_rows = np.add.reduceat(mask, at[0], axis=0, dtype=np.int64)
            counted: NDArray[np.int64] = np.add.reduceat(along_rows, at[1], axis=1)
            return counted

        is_open = count((self.states == WAITING) | (self.states == RUNNING)) > 0
        states = np.where(count(self.states == DONE) > 0, DONE, SKIPPED).astype(np.uint8)
        states[is_open] = WAITING
        states[count(self.states == FAILED) > 0] = FAILED
        return StateMap(states, _spans(self.rows, at[0]), _spans(self.columns, at[1]))

    def rectangles(self, wanted: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Cover the cells of some states with few rectangles: runs, through rows that are alike.

        Returns
        -------
        bounds : numpy.ndarray
            (N, 2, 2) start and stop of each, along rows and columns.
        states : numpy.ndarray
            (N,) their states.
        """
        kept = np.where(np.isin(self.states, wanted), self.states, WAITING)
        if not kept.any():
            return np.zeros((0, 2, 2)), np.zeros(0, np.uint8)
        differs = (kept[1:] != kept[:-1]).any(axis=1)
        top = np.concatenate([[0], np.flatnonzero(differs) + 1])
        bottom = np.append(top[1:], len(kept)) - 1
        bands = kept[top]
        begins = np.ones(bands.shape, bool)
        begins[:, 1:] = bands[:, 1:] != bands[:, :-1]
        band, left = np.nonzero(begins)
        # In C order, so that a run ends where the next one begins, or with its row.
        right = np.append(left[1:], 0)
        right = np.where(right == 0, bands.shape[1], right) - 1
        states = bands[band, left]
        used = states != WAITING
        band, left, right, states = band[used], left[used], right[used], states[used]
        starts = np.stack([self.rows[top[band], 0], self.columns[left, 0]], axis=-1)
        stops = np.stack([self.rows[bottom[band], 1], self.columns[right, 1]], axis=-1)
        return np.stack([starts, stops], axis=1), states

    def cells(self, state: int) -> NDArray[np.float64]:
        """Bounds of the cells in a state, (N, 2, 2): start and stop along rows and columns."""
        row, column = np.nonzero(self.states == state)
        return np.stack([self.rows[row], self.columns[column]], axis=-1)


def block_size(cell: float, n_cells: int, smallest: float, most: int) -> int:
    """Tiles along the edge of a block, a power of two, for marks that can be made out.

    Parameters
    ----------
    cell : float
        Shorter edge of a tile, in canvas pixels.
    n_cells : int
        Number of tiles to mark.
    smallest : float
        Shortest edge of a block that a mark fits into, in canvas pixels.
    most : int
        Most blocks.
    """
    size = 1
    while cell * size < smallest or n_cells > most * size * size:
        size *= 2
    return size


def _block_starts(n: int, size: int, first: int) -> NDArray[np.int64]:
    inner = np.arange(size - first % size, n, size)
    return np.concatenate([[0], inner])


def _spans(bounds: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    ends = np.append(at[1:], len(bounds)) - 1
    return np.stack([bounds[at, 0], bounds[ends, 1]], axis=-1)


def _merged(bounds: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    return _spans(bounds, np.arange(0, len(bounds), step))
