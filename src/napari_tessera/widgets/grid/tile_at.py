"""The tile at a position of the image: which one it is, its core, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.grid.mesh import Mesh
from napari_tessera.widgets.grid.tile_states import STATE_NAMES, together

_WORDS = {"Z": "layer", "Y": "row", "X": "column"}
_CORE_WIDTH, _READ_WIDTH = 2.5, 2.0
_DASH = 8.0
"""Length of a dash and of the gap behind it, in canvas pixels."""

_MAX_DASHES = 60
_CORE_COLOUR, _READ_COLOUR = (1.0, 1.0, 1.0, 1.0), (0.90, 0.62, 0.00, 1.0)


@dataclass(frozen=True)
class TileAt:
    """A tile of a plan's grid.

    Parameters
    ----------
    numbers : tuple of int
        Number in the plan, or numbers where tiles of several colours lie there; empty where the
        plan's area has none there.
    place : mapping
        Letter of each axis that tiles extend along, to which tile it is and of how many.
    samples : mapping
        Letter of each other axis that tiles are numbered along, to the index in the image.
    core, reads : mapping
        Letter of each axis that tiles extend along, to the first and one past the last pixel of
        what is kept of it, and of what the model sees of the image.
    """

    numbers: tuple[int, ...]
    place: Mapping[str, tuple[int, int]]
    samples: Mapping[str, int]
    core: Mapping[str, tuple[int, int]]
    reads: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, plan: PredictionPlan, position: Mapping[str, int]) -> TileAt:
        """Find the tile whose core holds a pixel.

        Parameters
        ----------
        plan : PredictionPlan
            The plan.
        position : mapping
            Letter of each axis of the layer to an index inside it.
        """
        layout, area = plan.layout, plan.tiles
        samples = {letter: position[letter] for letter in layout.sample_sizes if letter in position}
        at: list[list[int]] = []
        for letter in layout.sample_sizes:
            chosen = plan.region.along(letter)
            wanted = [samples[letter]] if letter in samples else chosen
            at.append([chosen.index(index) for index in wanted if index in chosen])
        place, core, reads = {}, {}, {}
        axes = plan.patching.axes(0)
        for letter, axis, met in zip(layout.spatial_axes, axes, area.grid, strict=True):
            tile = axis.containing(position[letter])
            start, _, size, stitch = axis.tile(tile)
            place[letter] = tile, axis.n
            core[letter] = stitch, stitch + size
            reads[letter] = start, min(start + axis.patch, axis.size)
            at.append([met.index(tile)] if tile in met else [])
        numbers = tuple(int(np.ravel_multi_index(each, area.shape)) for each in product(*at))
        return cls(numbers, place, samples, core, reads)

    def text(self, states: NDArray[np.uint8]) -> str:
        """Tell of the tile in one line.

        Rows, columns and tiles count from 1, pixels and planes from 0 as everywhere in napari.

        Parameters
        ----------
        states : numpy.ndarray
            State of each tile of the plan.
        """
        name = f"tile {self.numbers[0] + 1:,}" if self.numbers else "tile"
        where = ", ".join(
            f"{_WORDS[letter]} {at + 1}" for letter, (at, _) in _without_single(self.place)
        )
        counts = " × ".join(f"{n}" for _, (_, n) in _without_single(self.place))
        if where:
            where += f" of {counts}"
        planes = ", ".join(f"{letter.lower()} {index}" for letter, index in self.samples.items())
        inside = ", ".join(part for part in (where, planes) if part)
        state = "not in the area"
        if self.numbers:
            state = STATE_NAMES[int(together(states[list(self.numbers)][:, np.newaxis])[0])]
        said = [f"{name} ({inside})" if inside else name, f"core {_pixels(self.core)}"]
        if self.reads != self.core:
            said.append(f"reads {_pixels(self.reads)}")
        return " · ".join([*said, state])

    def outline(self, mesh: Mesh, displayed: str) -> None:
        """Draw the core with solid edges, what is read with dashed ones, along two axes."""
        if any(letter not in self.core for letter in displayed):
            return
        reads, core = (
            np.array([parts[letter] for letter in displayed], float).T - 0.5
            for parts in (self.reads, self.core)
        )
        if self.reads != self.core:
            dashes = [_dashed(edge, mesh.pixel) for edge in _edges(reads)]
            mesh.strokes(np.concatenate(dashes), _READ_WIDTH, _READ_COLOUR)
        mesh.strokes(_edges(core), _CORE_WIDTH, _CORE_COLOUR)


def _without_single(
    place: Mapping[str, tuple[int, int]],
) -> Sequence[tuple[str, tuple[int, int]]]:
    """Axes that have rows or columns to count; where there is one tile, none."""
    return [(letter, at) for letter, at in place.items() if letter != "Z" or at[1] > 1]


def _pixels(spans: Mapping[str, tuple[int, int]]) -> str:
    return " ".join(f"{letter} {start}–{stop - 1}" for letter, (start, stop) in spans.items())


def _edges(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Four edges, (4, 2, 2), of a rectangle from ``bounds[0]`` to ``bounds[1]``."""
    (top, left), (bottom, right) = bounds
    corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    return np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)


def _dashed(edge: NDArray[np.float64], pixel: tuple[float, float]) -> NDArray[np.float64]:
    """Dashes, (N, 2, 2), along one edge; they begin and end with it."""
    length = float(np.linalg.norm((edge[1] - edge[0]) / pixel))
    n = int(np.clip(round(length / (2 * _DASH)), 1, _MAX_DASHES))
    # n dashes and n − 1 gaps, of equal length.
    at = np.arange(2 * n) / max(1, 2 * n - 1)
    points: NDArray[np.float64] = edge[0] + at[:, np.newaxis] * (edge[1] - edge[0])
    return points.reshape(n, 2, 2)
