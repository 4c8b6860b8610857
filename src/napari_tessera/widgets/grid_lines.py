"""Lines and marks of a tile grid in one slice, by arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import PredictionPlan

MAX_LINES = 4096
"""Most tiles along an axis for which lines are drawn; more would be a grey area."""

CORE, OVERLAP = 0, 1
"""Kinds of lines."""


@dataclass(frozen=True)
class GridSlice:
    """The tile grid of a plan in the slice on display.

    Coordinates are the input layer's: pixel i reaches from i − 0.5 to i + 0.5. What would lie on
    the outer half of a border pixel is drawn on its centre, so that a grid never widens the
    extent of the layers, by which the viewer's sliders count.

    Parameters
    ----------
    plan : PredictionPlan
        The plan; its area does not matter for the lines.
    displayed : str
        Letters of the two axes on the canvas, in display order.
    indices : mapping
        Index along each other axis.
    """

    plan: PredictionPlan
    displayed: str
    indices: Mapping[str, int]

    def lines(self, gap: float = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Edges of cores, and of what tiles look at beyond them, across the whole slice.

        Parameters
        ----------
        gap : float
            Overlaps narrower than this many pixels are left out: their edges would cover those
            of the cores.

        Returns
        -------
        segments : numpy.ndarray
            (N, 2, 2) start and end along the displayed axes; overlaps first, so that cores are
            drawn over them.
        kinds : numpy.ndarray
            (N,) `CORE` or `OVERLAP`.
        """
        segments, kinds = [], []
        edges = [self._edges(letter, gap) for letter in self.displayed]
        for kind in (OVERLAP, CORE):
            for d in range(2):
                length = self._size(self.displayed[1 - d]) - 1
                positions = edges[d][kind]
                part = np.zeros((len(positions), 2, 2))
                part[:, :, d] = positions[:, None]
                part[:, 1, 1 - d] = length
                segments.append(part)
                kinds.append(np.full(len(positions), kind))
        return np.concatenate(segments), np.concatenate(kinds)

    @cached_property
    def tiles(self) -> NDArray[np.int64]:
        """Numbers of the plan's tiles (those of its area) whose cores meet the slice."""
        return self._tiles[0]

    @cached_property
    def cores(self) -> NDArray[np.float64]:
        """Bounds of these tiles' cores, (N, 2, 2): start and stop along the displayed axes."""
        return self._tiles[1]

    @cached_property
    def _tiles(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Tile numbers run over samples, then over the area's grid, both in C order."""
        plan = self.plan
        layout, region = plan.layout, plan.region
        letters = [*layout.sample_sizes, *layout.spatial_axes]
        counts: list[int] = []
        chosen: list[NDArray[np.int64]] = []
        spans: dict[str, NDArray[np.float64]] = {}
        for letter in layout.sample_sizes:
            along = np.asarray(region.along(letter))
            wanted = np.arange(len(along))
            if letter not in self.displayed:
                wanted = wanted[along == self.indices.get(letter, 0)]
            counts.append(len(along))
            chosen.append(wanted)
            spans[letter] = np.stack([along[wanted], along[wanted] + 1.0], axis=-1)
        for letter, axis in zip(layout.spatial_axes, plan.patching.axes(0), strict=True):
            met = axis.meeting(*region.bounds(letter))
            wanted = np.arange(len(met))
            if letter not in self.displayed:
                wanted = wanted[[axis.containing(self.indices.get(letter, 0)) == i for i in met]]
            bounds = [axis.tile(met[i]) for i in wanted]
            counts.append(len(met))
            chosen.append(wanted)
            spans[letter] = np.array(
                [(stitch, stitch + size) for _, _, size, stitch in bounds], float
            ).reshape(-1, 2)
        numbers = np.zeros((1,) * 0, np.int64)
        for count, wanted in zip(counts, chosen, strict=True):
            numbers = np.add.outer(numbers * count, wanted)
        at = np.indices(numbers.shape)
        cores = np.zeros((numbers.size, 2, 2))
        for d, letter in enumerate(self.displayed):
            if letter in letters:
                which = at[letters.index(letter)].ravel()
                cores[:, :, d] = spans[letter][which] - 0.5
            else:
                cores[:, :, d] = (0, self._size(letter) - 1)
        return numbers.ravel(), cores

    def _size(self, letter: str) -> int:
        layout = self.plan.layout
        return layout.shape[layout.axes.index(letter)]

    def _edges(self, letter: str, gap: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions of the edges of cores, and of tiles beyond their cores, along an axis."""
        size, layout = self._size(letter), self.plan.layout
        border = [0.0, size - 1.0]
        if letter not in layout.spatial_axes:
            inner = np.arange(1, size) - 0.5 if letter in layout.sample_sizes else np.empty(0)
            if size > MAX_LINES:
                inner = np.empty(0)
            return np.array([*border, *inner]), np.empty(0)
        axis = self.plan.patching.axes(0)[layout.spatial_axes.index(letter)]
        if axis.n > MAX_LINES:
            return np.array(border), np.empty(0)
        tiles = np.array([axis.tile(i) for i in range(axis.n)])
        inner = tiles[1:, 3] - 0.5
        if axis.overlap == 0 or axis.overlap < gap:
            return np.array([*border, *inner]), np.empty(0)
        starts, stops = tiles[1:, 0] - 0.5, tiles[:-1, 0] + axis.patch - 0.5
        return np.array([*border, *inner]), np.clip(np.concatenate([starts, stops]), 0, size - 1)
