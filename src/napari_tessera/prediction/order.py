"""What is seen comes first: tiles of a selection, nearest to a position first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledAxis
from napari_tessera.prediction.area import TileArea
from napari_tessera.region import Selection

MOST_AT_ONCE = 2**20
"""Tiles whose distances are looked at together; of more, plane by plane."""

FIRST = 1024
"""Of so many tiles the nearest are sorted first: the first ones are wanted at once."""


@dataclass(frozen=True)
class _Along:
    """Tiles along one axis of an area that are wanted.

    Parameters
    ----------
    numbers : numpy.ndarray
        What each adds to a tile's number.
    distances : numpy.ndarray
        How far each lies from the position along this axis, squared.
    """

    numbers: NDArray[np.int64]
    distances: NDArray[np.float64]

    def beyond(self, number: int, distance: float) -> _Along:
        """The same, of one tile of another axis."""
        return _Along(self.numbers + number, self.distances + distance)


class NearestFirst:
    """Numbers of tiles, those nearest to a position first, found as they are asked for.

    An iterator of int. Tiles that are equally far come in ascending order.

    Parameters
    ----------
    tiles : TileArea
        The area.
    selection, position : mapping
        As for `visible_first`.
    """

    def __init__(
        self, tiles: TileArea, selection: Selection, position: Mapping[str, float]
    ) -> None:
        self._asked = tiles, dict(selection), dict(position)
        self._each = (int(number) for block in self.blocks() for number in block)

    @cached_property
    def _along(self) -> list[_Along]:
        """The tiles along each axis of the area, samples first."""
        return _find(*self._asked)

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return next(self._each)

    def __len__(self) -> int:
        """Number of tiles, whatever was read of them already."""
        return prod(len(axis.numbers) for axis in self._along)

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """All of the numbers from the beginning, in arrays."""
        yield from _blocks(self._along)


def visible_first(
    tiles: TileArea, selection: Selection, position: Mapping[str, float]
) -> NearestFirst:
    """Tiles of an area whose cores meet a selection of the output, nearest to a position first.

    Distances are those of the cores' centres, in pixels; a step of S, T, or of a folded Z or C
    counts as one pixel. No tile is looked at before it is asked for.

    Parameters
    ----------
    tiles : TileArea
        The area.
    selection : mapping
        What is seen: output axis letter to slice, index or indices. What of it lies outside the
        area is left out, so that it may be of an image that has become larger or smaller.
    position : mapping
        Output axis letter to index, fractional or not. Letters left out do not count.

    Returns
    -------
    NearestFirst
        An iterator of int; empty where nothing of the area is seen.

    Raises
    ------
    ValueError
        If the selection names an axis that the output has not.
    """
    for letter in selection:
        if letter not in tiles.region.axes:
            raise ValueError(f"selection names axis {letter!r}, the output has {tiles.region.axes}")
    return NearestFirst(tiles, selection, position)


def _find(tiles: TileArea, selection: Selection, position: Mapping[str, float]) -> list[_Along]:
    region, layout = tiles.region, tiles.layout
    lengths, along = [], []
    for letter in layout.sample_sizes:
        chosen = np.asarray(region.along(letter), np.int64)
        seen = np.flatnonzero(_seen(chosen, layout, letter, selection))
        lengths.append(len(chosen))
        along.append((seen, chosen[seen].astype(np.float64), letter))
    for letter, axis, grid in zip(
        layout.spatial_axes, tiles.patching.axes(0), tiles.grid, strict=True
    ):
        first, stop = _stretch(region.bounds(letter), layout, letter, selection)
        met = axis.meeting(first, stop) if first < stop else range(0)
        lengths.append(len(grid))
        along.append((np.arange(met.start, met.stop) - grid.start, _centres(axis, met), letter))
    steps = np.cumprod([1, *lengths[:0:-1]], dtype=np.int64)[::-1]
    return [
        _Along(numbers * step, (centres - position.get(letter, centres)) ** 2)
        for (numbers, centres, letter), step in zip(along, steps, strict=True)
    ]


def _seen(
    indices: NDArray[np.int64], layout: Layout, letter: str, selection: Selection
) -> NDArray[np.bool_]:
    """Which of some indices of an axis a selection names."""
    wanted = selection.get(letter)
    if wanted is None:
        return np.ones(len(indices), np.bool_)
    size = layout.output_shape[layout.output_axes.index(letter)]
    if isinstance(wanted, slice):
        start, stop, _ = wanted.indices(size)
        return (indices >= start) & (indices < stop)
    return np.isin(indices, wanted)


def _stretch(
    bounds: tuple[int, int], layout: Layout, letter: str, selection: Selection
) -> tuple[int, int]:
    """First pixel within the bounds of an axis that a selection names, and the one after the last.

    No pixel between them is looked at: there may be millions.
    """
    first, stop = bounds
    wanted = selection.get(letter)
    if isinstance(wanted, slice):
        size = layout.output_shape[layout.output_axes.index(letter)]
        start, end, _ = wanted.indices(size)
        return max(first, start), min(stop, end)
    if wanted is None:
        return first, stop
    pixels = [int(i) for i in np.ravel(np.asarray(wanted)) if first <= i < stop]
    return (min(pixels), max(pixels) + 1) if pixels else (0, 0)


def _centres(axis: TiledAxis, tiles: range) -> NDArray[np.float64]:
    """Middle of each tile's core along an axis, as a pixel's index."""
    centres: NDArray[np.float64] = np.arange(tiles.start, tiles.stop, dtype=np.float64)
    centres = centres * axis.step + (axis.overlap + axis.step - 1) / 2
    # the cores at the image's ends have other sizes
    for i in {0, axis.n - 1}:
        if i in tiles:
            _, _, size, stitch = axis.tile(i)
            centres[i - tiles.start] = stitch + (size - 1) / 2
    return centres


def _blocks(along: Sequence[_Along]) -> Iterator[NDArray[np.int64]]:
    total = prod(len(axis.numbers) for axis in along)
    if total == 0:
        return
    if total > MOST_AT_ONCE and len(along) > 1:
        first, second, *others = along
        for i in np.argsort(first.distances, kind="stable"):
            number, distance = int(first.numbers[i]), float(first.distances[i])
            yield from _blocks([second.beyond(number, distance), *others])
        return
    numbers, distances = np.zeros(1, np.int64), np.zeros(1)
    for axis in along:
        numbers = np.add.outer(numbers, axis.numbers).ravel()
        distances = np.add.outer(distances, axis.distances).ravel()
    near = np.ones(total, np.bool_)
    if total > FIRST:
        near = distances <= np.partition(distances, FIRST - 1)[FIRST - 1]
    for part in (near, ~near):
        yield numbers[part][np.argsort(distances[part], kind="stable")]
