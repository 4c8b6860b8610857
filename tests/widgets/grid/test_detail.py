"""Few rectangles and blocks that say the same as all tiles do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from napari_tessera.widgets.grid.detail import StateMap, block_size
from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING, SKIPPED, WAITING

STATES = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 4)
)


def mapped(states: NDArray[np.uint8]) -> StateMap:
    """Cells of one by one, the first at 0."""
    rows, columns = (np.stack([np.arange(n), np.arange(n) + 1], axis=-1) for n in states.shape)
    return StateMap(states, rows.astype(float), columns.astype(float))


@given(STATES)
def test_rectangles_cover_each_cell_of_the_wanted_states_once(states: NDArray[np.uint8]) -> None:
    bounds, shades = mapped(states).rectangles((DONE, FAILED))
    painted = np.zeros_like(states)
    for ((top, left), (bottom, right)), state in zip(bounds.astype(int), shades, strict=True):
        assert not painted[top:bottom, left:right].any()
        painted[top:bottom, left:right] = state
    wanted = np.where(np.isin(states, (DONE, FAILED)), states, WAITING)
    np.testing.assert_array_equal(painted, wanted)


def test_rows_that_are_alike_are_one_rectangle() -> None:
    states = np.full((300, 300), DONE, np.uint8)
    states[-1, 100:] = WAITING
    assert len(mapped(states).rectangles((DONE,))[0]) == 2


@given(STATES, st.sampled_from([1, 2, 4]), st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_a_block_says_the_worst_and_what_is_left_to_do(
    states: NDArray[np.uint8], size: int, first: tuple[int, int]
) -> None:
    blocks = mapped(states).blocks(size, first)
    assert blocks.rows[0, 0] == blocks.columns[0, 0] == 0
    assert (blocks.rows[-1, 1], blocks.columns[-1, 1]) == states.shape
    for (top, bottom), shades in zip(blocks.rows.astype(int), blocks.states, strict=True):
        # Blocks begin at multiples of their size, so that they stay while one pans.
        assert top == 0 or (top + first[0]) % size == 0
        for (left, right), state in zip(blocks.columns.astype(int), shades, strict=True):
            inside = set(states[top:bottom, left:right].ravel().tolist())
            if size == 1:
                assert inside == {state}
            elif FAILED in inside:
                assert state == FAILED
            elif inside & {WAITING, RUNNING}:
                assert state == WAITING
            else:
                assert state == (DONE if DONE in inside else SKIPPED)


@given(STATES, st.integers(1, 30))
def test_samples_are_few_and_cover_everything(states: NDArray[np.uint8], most: int) -> None:
    sampled = mapped(states).sampled(most)
    assert sampled.states.size <= most
    assert sampled.states.shape == (len(sampled.rows), len(sampled.columns))
    assert (sampled.rows[-1, 1], sampled.columns[-1, 1]) == states.shape
    assert (sampled.rows[1:, 0] == sampled.rows[:-1, 1]).all()


def test_cells_of_a_state() -> None:
    states = np.array([[DONE, WAITING], [WAITING, DONE]], np.uint8)
    assert mapped(states).cells(DONE).tolist() == [[[0, 0], [1, 1]], [[1, 1], [2, 2]]]
    assert mapped(states).cells(FAILED).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("cell", "n_cells", "wanted"),
    [(100, 10, 1), (24, 10, 1), (23, 10, 2), (5, 10, 8), (100, 1001, 2), (100, 4001, 4)],
)
def test_block_sizes(cell: float, n_cells: int, wanted: int) -> None:
    assert block_size(cell, n_cells, 24, 1000) == wanted
