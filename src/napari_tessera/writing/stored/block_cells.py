"""The tiles of a run along each axis, seen from the array that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.patching.windows import AxisWindows
from napari_tessera.region import Region


@dataclass(frozen=True, eq=False)
class AxisCells:
    """Tiles of a region along one axis that they are numbered along.

    Parameters
    ----------
    ends : numpy.ndarray of int64
        Where the cores end in the region: n + 1 ascending numbers from 0 to the region's length.
    first, last : numpy.ndarray of int64
        Of each core the tiles, of the grid over the whole image, that are predicted for it: itself,
        or those that are blended in it.
    """

    ends: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of tiles."""
        return len(self.first)

    def meeting(self, start: int, stop: int) -> range:
        """Tiles whose cores meet the positions start…stop−1 of the region."""
        first = int(np.searchsorted(self.ends, start, "right")) - 1
        return range(first, int(np.searchsorted(self.ends, stop, "left")))

    def beginning(self, start: int, stop: int) -> range:
        """Tiles whose cores begin at one of the positions start…stop−1 of the region."""
        first, last = np.searchsorted(self.ends[:-1], (start, stop), "left")
        return range(int(first), int(last))

    def predicted(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tiles are predicted for each of some stretches of the region."""
        first = np.searchsorted(self.ends, starts, "right") - 1
        last = np.searchsorted(self.ends, stops, "left") - 1
        counts: NDArray[np.int64] = self.last[last] - self.first[first] + 1
        return counts


@dataclass(frozen=True, eq=False)
class TileCells:
    """The tiles of a run, numbered as its plan numbers them: samples first, then space, in C order.

    Parameters
    ----------
    layout : Layout
        The image, what is folded, and its output.
    region : Region
        The part of the output that is predicted.
    along : mapping of str to AxisCells
        The tiles along each axis that they are numbered along, in that order.
    kept_axes, kept : str, numpy.ndarray of bool, optional
        Letters of some of these axes, and over them whether a tile is predicted; None for all.
    """

    layout: Layout
    region: Region
    along: Mapping[str, AxisCells]
    kept_axes: str = ""
    kept: NDArray[np.bool_] | None = None

    @classmethod
    def of_plan(cls, plan: Mapping[str, Any]) -> TileCells:
        """The tiles of a plan as it is stored.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is none.
        """
        values = plan["fingerprint_of"]
        layout = Layout(
            values["input_axes"],
            tuple(values["input_shape"]),
            values["fold"],
            values["output_channels"],
        )
        region = Region.from_json(
            layout.output_axes, layout.output_shape, values["region_selection"]
        )
        patching = TiledPatching(
            [layout.view_shape], values["patch_size"], values["overlaps"], values["alignment"]
        )
        along = {letter: _samples(len(region.along(letter))) for letter in layout.sample_sizes}
        blending, insets = values["blending"], values.get("insets", ())
        for at, (letter, axis) in enumerate(
            zip(layout.spatial_axes, patching.axes(0), strict=True)
        ):
            start, stop = region.bounds(letter)
            tiles = axis.meeting(start, stop)
            cores = [(stitch, stitch + size) for _, _, size, stitch in map(axis.tile, tiles)]
            ends = np.array([start, *(min(end, stop) for _, end in cores)], np.int64) - start
            met = [range(tile, tile + 1) for tile in tiles]
            if blending != "crop":
                windows = AxisWindows(axis, insets[at], blending)
                met = [windows.meeting(*core) for core in cores]
            along[letter] = AxisCells(
                ends,
                np.array([each.start for each in met], np.int64),
                np.array([each.stop - 1 for each in met], np.int64),
            )
        inside = values.get("inside")
        if inside is None:
            return cls(layout, region, along)
        which = np.zeros(len(inside["runs"]), np.bool_)
        which[1::2] = True
        kept = np.repeat(which, inside["runs"]).reshape(inside["shape"])
        return cls(layout, region, along, str(inside["axes"]), kept)

    @property
    def axes(self) -> str:
        """Letters of the axes that tiles are numbered along."""
        return "".join(self.along)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of tiles along each of them."""
        return tuple(cells.n for cells in self.along.values())

    @property
    def n_tiles(self) -> int:
        """Number of tiles, those that are skipped included."""
        return prod(self.shape)

    @property
    def share(self) -> float:
        """Which part of the tiles is predicted."""
        return 1.0 if self.kept is None else float(self.kept.mean())

    def count(self, ranges: Sequence[range]) -> int:
        """How many tiles of a box of the grid are predicted."""
        total = prod(map(len, ranges))
        if self.kept is None or not total:
            return total
        of = dict(zip(self.axes, ranges, strict=True))
        box = self.kept[tuple(_as_slice(of[letter]) for letter in self.kept_axes)]
        return total // box.size * int(np.count_nonzero(box))

    def numbers(self, ranges: Sequence[range]) -> NDArray[np.int64]:
        """Numbers of the tiles of a box of the grid that are predicted, ascending."""
        steps = np.cumprod([1, *self.shape[:0:-1]], dtype=np.int64)[::-1]
        numbers = np.zeros((), np.int64)
        for tiles, step in zip(ranges, steps, strict=True):
            numbers = np.add.outer(numbers, np.arange(tiles.start, tiles.stop) * step)
        if self.kept is None:
            return numbers.ravel()
        of = dict(zip(self.axes, ranges, strict=True))
        box = self.kept[tuple(_as_slice(of[letter]) for letter in self.kept_axes)]
        sizes = dict(zip(self.kept_axes, box.shape, strict=True))
        box = box.reshape([sizes.get(letter, 1) for letter in self.axes])
        return numbers[np.broadcast_to(box, numbers.shape)]

    def skipped(self) -> NDArray[np.bool_] | None:
        """Of each tile whether it is skipped; None where none is."""
        if self.kept is None:
            return None
        sizes = dict(zip(self.kept_axes, self.kept.shape, strict=True))
        kept = self.kept.reshape([sizes.get(letter, 1) for letter in self.axes])
        return ~np.broadcast_to(kept, self.shape).ravel()


def _as_slice(tiles: range) -> slice:
    return slice(tiles.start, tiles.stop)


def _samples(n: int) -> AxisCells:
    """Of samples each is a cell by itself."""
    each = np.arange(n + 1, dtype=np.int64)
    return AxisCells(each, each[:-1], each[:-1])
