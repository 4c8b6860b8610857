"""Putting chunks together that can be read as one part of an array."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

Cell = tuple[int, ...]
"""Number of a chunk along each axis."""


def boxes(cells: Sequence[Cell]) -> list[tuple[range, ...]]:
    """Cover cells of a grid by boxes that hold nothing else, and do not overlap.

    Parameters
    ----------
    cells : sequence of tuple of int
        The cells, in ascending order.

    Returns
    -------
    list of tuple of range
        One range per axis. One box where the cells are one; not always the fewest there could be.
    """
    left = dict.fromkeys(cells)
    found = []
    while left:
        first = next(iter(left))
        box = [range(at, at + 1) for at in first]
        # the last axis first: what lies along it lies together
        for axis in reversed(range(len(first))):
            while all(cell in left for cell in product(*_ahead(box, axis))):
                box[axis] = range(box[axis].start, box[axis].stop + 1)
        for cell in product(*box):
            del left[cell]
        found.append(tuple(box))
    return found


def _ahead(box: Sequence[range], axis: int) -> list[range]:
    """The layer of cells behind a box along an axis."""
    stop = box[axis].stop
    return [*box[:axis], range(stop, stop + 1), *box[axis + 1 :]]
