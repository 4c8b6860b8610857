"""Weights with which overlapping tiles are blended: along each axis they add up to 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.tiled import TiledAxis

WINDOW_KINDS = ("linear", "gaussian")

GAUSSIAN_STEEPNESS = 8.0
"""exp(−8 u²) for u from 0 at the tile's centre to 1 at its end: σ is an eighth of the tile."""


def blending_insets(overlaps: Sequence[int], reach: Sequence[int] | None) -> tuple[int, ...]:
    """Pixels at the inner ends of a tile that blending leaves out, along each axis.

    Along a tile's end a network sees its own padding in the place of the image. Where the overlap
    covers the reach on both sides all of that is left out, and blending changes nothing but
    rounding. Where it does not, three eighths of the overlap are left out: what is worst goes, as
    a network heeds what is far the less, and a quarter of the overlap remains to fade over. Where
    no overlap would do, there is more to fade than to leave out: it is a quarter.

    Parameters
    ----------
    overlaps : sequence of int
        Total overlap of neighbouring tiles along each axis, in pixels.
    reach : sequence of int, or None
        How far the network looks along each axis, in pixels; None where it looks at all of the
        tile.
    """
    if reach is None:
        return tuple(overlap // 4 for overlap in overlaps)
    return tuple(
        far if 2 * far <= overlap else 3 * overlap // 8
        for overlap, far in zip(overlaps, reach, strict=True)
    )


@dataclass(frozen=True)
class AxisWindows:
    """Weights of the tiles along one axis, in closed form: nothing is summed up beforehand.

    Tile k counts within its support: from ``k·step + inset`` to ``k·step + patch − inset``, the
    first tile from the image's beginning and the last to its end. There it has a height g that
    falls to 0 at the support's ends, but not towards the image's ends:

    * ``"linear"``: the distance to the nearer end;
    * ``"gaussian"``: exp(−8 u²) − exp(−8), where u goes from 0 at the centre to 1 at the ends.

    The weight of tile k at a pixel is its height over the sum of the heights of all tiles there.
    So weights are never negative and add up to 1, with any overlap. With an inset of half the
    overlap they are 1 in the tile's core and 0 elsewhere.

    The last tile, which is shifted to end at the image's end, counts from where it would start
    unshifted: what it has more of its surroundings only makes it better.

    Parameters
    ----------
    axis : TiledAxis
        The tiles.
    inset : int
        Pixels left out at the inner ends of each tile; at most half the overlap.
    kind : {"linear", "gaussian"}
        Shape of the heights.

    Raises
    ------
    ValueError
        If the inset is negative or more than half the overlap, or the kind is none of these.
    """

    axis: TiledAxis
    inset: int
    kind: str = "linear"

    def __post_init__(self) -> None:
        if self.kind not in WINDOW_KINDS:
            raise ValueError(f"window {self.kind!r} is none of {', '.join(WINDOW_KINDS)}")
        if self.axis.n > 1 and not 0 <= self.inset <= self.axis.overlap // 2:
            raise ValueError(
                f"inset {self.inset} is outside 0…{self.axis.overlap // 2}, half the overlap "
                f"{self.axis.overlap}"
            )

    def support(self, tile: int) -> tuple[int, int]:
        """First pixel of the axis that a tile counts at, and the one after the last."""
        start, stop = self._ends(tile)
        first, last = tile == 0, tile == self.axis.n - 1
        return 0 if first else start, self.axis.size if last else min(stop, self.axis.size)

    def meeting(self, start: int, stop: int) -> range:
        """Tiles that count at some of the pixels start…stop−1, ascending."""
        axis = self.axis
        first = (start - axis.patch + self.inset) // axis.step + 1
        last = -((self.inset - stop) // axis.step) - 1
        return range(
            min(max(0, first), axis.n - 1),
            min(max(0, last), axis.n - 1) + 1,
        )

    def weights(self, tile: int, start: int, stop: int) -> NDArray[np.float64]:
        """Weight of a tile at the pixels start…stop−1 of the axis, which lie in the image."""
        centres = np.arange(start, stop, dtype=np.float64) + 0.5
        own = self._heights(tile, centres)
        total = np.zeros_like(own)
        for other in self.meeting(start, stop):
            total += own if other == tile else self._heights(other, centres)
        return own / total

    def _ends(self, tile: int) -> tuple[int, int]:
        """Ends of a tile's support were it neither the first nor the last."""
        start = tile * self.axis.step
        return start + self.inset, start + self.axis.patch - self.inset

    def _heights(self, tile: int, centres: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.axis.n == 1:
            return np.ones_like(centres)
        start, stop = self._ends(tile)
        to_start, to_stop = centres - start, stop - centres
        if tile == 0:
            nearer = to_stop
        elif tile == self.axis.n - 1:
            nearer = to_start
        else:
            nearer = np.minimum(to_start, to_stop)
        if self.kind == "linear":
            return np.maximum(nearer, 0)
        half = (stop - start) / 2
        from_centre = np.clip(1 - nearer / half, 0, 1)
        top, end = np.exp(-GAUSSIAN_STEEPNESS * from_centre**2), np.exp(-GAUSSIAN_STEEPNESS)
        heights: NDArray[np.float64] = np.where(nearer > 0, top - end, 0)
        return heights
