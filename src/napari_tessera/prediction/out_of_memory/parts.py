"""A tile cut into parts that a local network can be run on one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.models import ModelGeometry

LEAST = 16
"""Smallest edge of a part, in pixels, without its surroundings: these are most of it by then."""


@dataclass(frozen=True)
class Part:
    """One part of a tile; all slices are along (Z)YX.

    Parameters
    ----------
    given : tuple of slice
        What the network is run on, in the tile: the part and the surroundings that it looks at.
    inner : tuple of slice
        Where the part lies in that.
    place : tuple of slice
        Where the part lies in the tile. The parts of a tile are a partition of it.
    """

    given: tuple[slice, ...]
    inner: tuple[slice, ...]
    place: tuple[slice, ...]


def most_cuts(size: Sequence[int], geometry: ModelGeometry) -> int:
    """How often a tile can be cut: 0 for networks that look at all of it, or take one size."""
    axes, cuts = _axes(size, geometry), 0
    while (at := _longest(axes)) is not None:
        axes[at] = axes[at].halved
        cuts += 1
    return cuts


def parts(size: Sequence[int], geometry: ModelGeometry, cuts: int) -> tuple[Part, ...]:
    """Cut a tile into parts whose predictions are, side by side, that of the whole tile.

    A part is run with surroundings of at least the network's reach, as far as the tile has them:
    at the tile's own ends the network pads as it does in the whole tile. All begins at multiples
    of the period (and of the steps in which the network takes sizes), so that the network's own
    grid lies as in the tile.

    Parameters
    ----------
    size : sequence of int
        Size of the tile along (Z)YX, in pixels.
    geometry : ModelGeometry
        Of the model.
    cuts : int
        How often the longest edge of the parts is halved; fewer where they would become smaller
        than `LEAST`.

    Returns
    -------
    tuple of Part
        One that is the whole tile where there is nothing to cut.
    """
    axes = _axes(size, geometry)
    for _ in range(cuts):
        if (at := _longest(axes)) is None:
            break
        axes[at] = axes[at].halved
    return tuple(
        Part(*(tuple(slices) for slices in zip(*along, strict=True)))
        for along in product(*(axis.parts() for axis in axes))
    )


@dataclass(frozen=True)
class _Axis:
    """How a tile is cut along one axis.

    Parameters
    ----------
    size : int
        Pixels of the tile.
    halo : int
        Surroundings at each end of a part; a multiple of ``step``.
    step : int
        Parts begin at multiples of it.
    least : int
        Pixels that the network must be given: it is padded where it gets fewer, and in another
        way than the tile.
    edge : int
        Pixels of a part; ``size`` or more where the axis is not cut.
    is_fixed : bool
        Whether the network takes one size only along this axis.
    """

    size: int
    halo: int
    step: int
    least: int
    edge: int
    is_fixed: bool

    @property
    def halved(self) -> _Axis:
        """Parts of half the length, or of less where the network would not be given less."""
        axis, least = self, self._up(LEAST)
        while axis.edge > least:
            edge = max(least, self._up(-(-min(axis.edge, self.size) // 2)))
            if edge == axis.edge:
                break
            axis = replace(axis, edge=edge)
            # a middle part has surroundings at both ends: of three it may be as long as of two
            if axis.given < self.given:
                break
        return axis

    @property
    def helps(self) -> bool:
        """Whether the network is given less where parts are halved."""
        return not self.is_fixed and self.halved.given < self.given

    @property
    def given(self) -> int:
        """Most pixels that the network is given."""
        return max(int(given.stop - given.start) for given, _, _ in self.parts())

    def parts(self) -> list[tuple[slice, slice, slice]]:
        found = []
        for start in range(0, self.size, self.edge):
            stop = min(start + self.edge, self.size)
            first, last = max(0, start - self.halo), min(stop + self.halo, self.size)
            if last - first < self.least:
                last = min(first + self.least, self.size)
                first = max(0, min(first, (last - self.least) // self.step * self.step))
            inner = slice(start - first, stop - first)
            found.append((slice(first, last), inner, slice(start, stop)))
        return found

    def _up(self, size: int) -> int:
        return -(-size // self.step) * self.step


def _longest(axes: Sequence[_Axis]) -> int | None:
    """Which axis to halve: the one with the longest parts of those where that helps."""
    helping = [i for i, axis in enumerate(axes) if axis.helps]
    return max(helping, key=lambda i: min(axes[i].edge, axes[i].size), default=None)


def _axes(size: Sequence[int], geometry: ModelGeometry) -> list[_Axis]:
    """The axes of a tile, not cut."""
    axes = []
    for i, n in enumerate(size):
        sizes = geometry.sizes
        step = lcm(geometry.period[i], sizes.step[i] or 1)
        reach = n if geometry.reach is None else geometry.reach[i]
        halo = -(-reach // step) * step
        lost = max(geometry.offset[i], 0) + max(geometry.far_offset[i], 0)
        # what is reflected at the tile's ends must be there in its first and last part as well
        least = max(sizes.minimum[i] - lost, lost + 1, 1)
        axes.append(_Axis(n, halo, step, least, n, not sizes.step[i]))
    return axes
