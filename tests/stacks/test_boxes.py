"""Boxes of cells."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks.reading.boxes import boxes

CELLS = st.sets(st.tuples(*[st.integers(0, 4)] * 3), max_size=40)


@given(CELLS)
def test_boxes_cover_each_cell_once_and_nothing_else(cells: set[tuple[int, ...]]) -> None:
    found = [cell for box in boxes(sorted(cells)) for cell in product(*box)]
    assert sorted(found) == sorted(cells)


@given(st.tuples(*[st.tuples(st.integers(0, 5), st.integers(1, 5))] * 3))
def test_a_box_stays_one(spans: tuple[tuple[int, int], ...]) -> None:
    box = tuple(range(start, start + size) for start, size in spans)
    assert boxes(list(product(*box))) == [box]
