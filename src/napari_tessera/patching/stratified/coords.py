"""Grid coordinates and probabilities as they are given, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import index as as_int

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.checks import SPATIAL, check_sizes, shown

_NAMED = 5
_BOOLS = frozenset((bool, np.bool_))


def region_numbers(coords: Iterable[Sequence[int]], grid: Sequence[int]) -> NDArray[np.int64]:
    """Numbers (in C order) of the regions at grid coordinates.

    Parameters
    ----------
    coords : iterable of sequence of int
        (Z)YX each.
    grid : sequence of int
        Number of regions along each axis.

    Raises
    ------
    ValueError
        Naming the coordinates that are no whole numbers, too few or many, or off the grid.
    """
    try:
        given = list(coords)
    except TypeError:
        raise ValueError(
            f"grid coordinates {shown(coords)} are no sequence; give a list of {SPATIAL[len(grid)]}"
        ) from None
    array = _as_array(given, grid)
    if array is None:
        cells = [check_sizes("grid coordinate", cell, len(grid), minimum=None) for cell in given]
        off = [cell for cell in cells if not _is_on(cell, grid)]
        if off:
            raise ValueError(_off_grid(off, grid))
        array = np.array(cells, dtype=np.int64)
    return _numbers(array, grid)


def probabilities(
    probs: Mapping[tuple[int, ...], float], grid: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers (in C order) of regions and the probability of each.

    Parameters
    ----------
    probs : mapping from tuple of int to float
        Probability by grid coordinates.
    grid : sequence of int
        Number of regions along each axis.

    Raises
    ------
    KeyError
        Naming the coordinates that are not on the grid.
    TypeError
        If ``probs`` is no mapping.
    ValueError
        Naming the region and the probability that is none.
    """
    if not isinstance(probs, Mapping):
        raise TypeError(
            f"probabilities {shown(probs)} are no mapping; give a dict of {SPATIAL[len(grid)]}: 0…1"
        )
    given = dict(probs)
    array = _as_array(list(given), grid)
    if array is None:
        off = [cell for cell in given if not _is_on(cell, grid)]
        if off:
            raise KeyError(_off_grid(off, grid))
        array = np.array(list(given), dtype=np.int64)
    for cell, value in given.items():
        # An array of one number compares like one, and is none.
        try:
            is_one = np.ndim(value) == 0 and 0 <= value <= 1
        except (TypeError, ValueError):
            is_one = False
        if not is_one:
            raise ValueError(f"probability {shown(value)} of region {shown(cell)} is none: use 0…1")
    return _numbers(array, grid), np.array([float(value) for value in given.values()])


def _numbers(cells: NDArray[np.integer], grid: Sequence[int]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.ravel_multi_index(tuple(cells.T), tuple(grid)).astype(np.int64)
    return numbers


def _as_array(cells: Sequence[Sequence[int]], grid: Sequence[int]) -> NDArray[np.integer] | None:
    """All coordinates at once, as people may give millions; None if any needs a closer look."""
    if not cells:
        return np.zeros((0, len(grid)), dtype=np.int64)
    try:
        # NumPy makes numbers of bools that stand among numbers.
        if not _BOOLS.isdisjoint(map(type, chain.from_iterable(cells))):
            return None
        array = np.asarray(cells)
    except (TypeError, ValueError):
        return None
    if array.dtype.kind not in "iu" or array.shape != (len(cells), len(grid)):
        return None
    if (array < 0).any() or (array >= np.asarray(grid)).any():
        return None
    return array.astype(np.int64)


def _is_on(cell: object, grid: Sequence[int]) -> bool:
    try:
        if not _BOOLS.isdisjoint(map(type, cell)):  # type: ignore[call-overload]
            return False
        numbers = [as_int(number) for number in cell]  # type: ignore[attr-defined]
    except TypeError:
        return False
    return len(numbers) == len(grid) and all(
        0 <= number < n for number, n in zip(numbers, grid, strict=True)
    )


def _off_grid(cells: Sequence[object], grid: Sequence[int]) -> str:
    named = ", ".join(shown(cell) for cell in cells[:_NAMED])
    more = f" and {len(cells) - _NAMED} more" if len(cells) > _NAMED else ""
    letters = SPATIAL[len(grid)]
    there_are = ", ".join(f"{letter} 0…{n - 1}" for letter, n in zip(letters, grid, strict=True))
    return f"grid coordinates {named}{more} are off the grid of regions: use {there_are}"
