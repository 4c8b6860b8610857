"""The tile grid of a plan in one slice, by arithmetic: nothing is listed tile by tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.grid.tile_states import together


@dataclass(frozen=True)
class AxisTiles:
    """Tiles along one axis of the canvas, in data coordinates: pixel i is i − 0.5 to i + 0.5.

    Parameters
    ----------
    size : int
        Size of the image along the axis, in pixels.
    starts, stops : numpy.ndarray
        Bounds of the cores of the plan's tiles, ascending.
    edges : numpy.ndarray
        Where cores of the whole image's grid meet, ascending.
    reads : numpy.ndarray
        Edges, inside the image, of what tiles read beyond their cores.
    overlap : int
        Overlap of neighbouring tiles, in total, in pixels.
    """

    size: int
    starts: NDArray[np.float64]
    stops: NDArray[np.float64]
    edges: NDArray[np.float64]
    reads: NDArray[np.float64]
    overlap: int = 0

    def within(self, low: float, high: float) -> tuple[int, int]:
        """First and one past the last of the plan's tiles that meet a range of coordinates."""
        first = int(np.searchsorted(self.stops, low, side="right"))
        return first, max(first, int(np.searchsorted(self.starts, high, side="left")))


@dataclass(frozen=True)
class GridSlice:
    """The tile grid of a plan in the slice on display.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    displayed : str
        Letters of the two axes on the canvas, in display order.
    indices : mapping
        Index along each other axis of the layer.
    """

    plan: PredictionPlan
    displayed: str
    indices: Mapping[str, int]

    @cached_property
    def axes(self) -> tuple[AxisTiles, AxisTiles]:
        """Tiles along each displayed axis."""
        first, second = (self._along(letter) for letter in self.displayed)
        return first, second

    def matrix(self, states: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """States of the slice's tiles along the displayed axes, as a view of all tiles' states.

        Empty where the plan has no tiles in this slice. Tiles of an axis that is neither displayed
        nor has an index, as the colours of an rgb layer have none, are seen together.
        """
        area = self.plan.tiles
        shown, letters = states.reshape(area.shape), area.axes
        for letter in area.axes:
            axis = letters.index(letter)
            if letter in self.displayed:
                continue
            if letter not in self.indices:
                shown = together(shown, axis)
            elif (at := self._place(letter)) is None:
                return states[:0].reshape(0, 0)
            else:
                shown = shown[(slice(None),) * axis + (at,)]
            letters = letters.replace(letter, "")
        for letter in self.displayed:
            if letter not in letters:
                # Tiles have all of it: there is one.
                shown = shown[..., np.newaxis]
                letters += letter
        return shown if letters == self.displayed else shown.T

    def places(self, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions along the displayed axes, (N, 2), of those of some tiles that lie here."""
        area = self.plan.tiles
        at = dict(zip(area.axes, np.unravel_index(tiles, area.shape), strict=True))
        here = np.ones(len(tiles), bool)
        for letter, along in at.items():
            if letter in self.indices:
                here &= along == self._place(letter)
        nowhere = np.zeros(len(tiles), np.int64)
        return np.stack([at.get(letter, nowhere)[here] for letter in self.displayed], axis=-1)

    def _place(self, letter: str) -> int | None:
        """Position, of the plan's tiles along an axis, of the one that the slice cuts."""
        plan, index = self.plan, self.indices[letter]
        layout = plan.layout
        if letter in layout.sample_sizes:
            chosen = plan.region.along(letter)
            return chosen.index(index) if index in chosen else None
        at = layout.spatial_axes.index(letter)
        met, tile = plan.tiles.grid[at], plan.patching.axes(0)[at].containing(index)
        return met.index(tile) if tile in met else None

    def _along(self, letter: str) -> AxisTiles:
        plan = self.plan
        layout = plan.layout
        size = layout.shape[layout.axes.index(letter)]
        none = np.zeros(0)
        if letter in layout.sample_sizes:
            chosen = np.asarray(plan.region.along(letter), float)
            inner = np.arange(1, size, dtype=np.float64) - 0.5
            return AxisTiles(size, chosen - 0.5, chosen + 0.5, inner, none)
        if letter not in layout.spatial_axes:
            return AxisTiles(size, np.array([-0.5]), np.array([size - 0.5]), none, none)
        at = layout.spatial_axes.index(letter)
        axis, met = plan.patching.axes(0)[at], plan.tiles.grid[at]
        # The closed form of `TiledAxis.tile`, for all tiles at once.
        tiles = np.arange(axis.n)
        starts = np.where(tiles == 0, 0, tiles * axis.step + axis.overlap // 2)
        bounds = np.append(starts, axis.size) - 0.5
        first = tiles * axis.step
        first[-1] = max(0, axis.padded - axis.patch)
        reads = np.concatenate([first[1:], first[:-1] + axis.patch]) - 0.5
        return AxisTiles(
            size,
            bounds[met.start : met.stop],
            bounds[met.start + 1 : met.stop + 1],
            bounds[1:-1],
            np.sort(reads[reads < axis.size - 1]) if axis.overlap else none,
            axis.overlap,
        )
