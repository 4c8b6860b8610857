"""Sampling regions of one image: where they lie, what they weigh, which patches they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.bins import unravel
from napari_tessera.patching.stratified.axis import StratifiedAxis


class WeightClass(NamedTuple):
    """A box of regions that all weigh the same."""

    box: tuple[range, ...]
    """Grid coordinates along each axis."""
    weight: Fraction
    """Patches per epoch."""
    takes_spare: bool
    """Whether what the number of patches is rounded up by may be drawn from these regions."""


@dataclass(frozen=True)
class RegionGrid:
    """Sampling regions of an image: twice the patch size, every patch size, clipped to the image.

    Along an axis of size s with patch p there are s // p of them. Region g gives the patches that
    start at g·p … g·p + p − 1, the last one those that start at g·p … s − p. Cell g, the pixels
    g·p … g·p + p − 1, is what an exclusion takes away; the s mod p pixels after the last cell
    belong to no cell. Regions are numbered in C order (X fastest).

    The weight of a region is its number of patches per epoch: the product of its masses along the
    axes (see `StratifiedAxis`). It is 1 away from the image's borders; all weigh Π s/p together.

    Parameters
    ----------
    spatial : tuple of int
        Shape of the image in (Z)YX, in pixels.
    patch_size : tuple of int
        In (Z)YX, in pixels; no larger than the image.
    """

    spatial: tuple[int, ...]
    patch_size: tuple[int, ...]

    def __getstate__(self) -> dict[str, Any]:
        # What is kept besides may grow in another thread while this is copied.
        return {"spatial": self.spatial, "patch_size": self.patch_size}

    @cached_property
    def axes(self) -> tuple[StratifiedAxis, ...]:
        """Regions along each axis."""
        return tuple(map(StratifiedAxis, self.spatial, self.patch_size))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of regions along each axis."""
        return tuple(axis.n for axis in self.axes)

    @cached_property
    def size(self) -> int:
        """Number of regions."""
        return prod(self.shape)

    @cached_property
    def has_interior(self) -> bool:
        """Whether any pixel is a patch away from all borders."""
        return all(axis.has_interior for axis in self.axes)

    def classes(self) -> Iterator[WeightClass]:
        """All regions, sorted into boxes of equal weight.

        The spare share goes where it adds nothing to pixels a patch away from all borders: to
        regions at a border, or to any where there is no such pixel.
        """
        for box in product(*(axis.parts() for axis in self.axes)):
            at = [(axis, part[0]) for axis, part in zip(self.axes, box, strict=True)]
            weight = Fraction(1)
            for axis, g in at:
                weight *= Fraction(axis.mass(g), axis.denominator)
            at_border = any(axis.is_end(g) for axis, g in at)
            yield WeightClass(box, weight, at_border or not self.has_interior)

    def weights(self) -> NDArray[np.float64]:
        """Weight of every region, in the shape of the grid."""
        weights = np.ones(self.shape)
        for number, axis in enumerate(self.axes):
            along = np.moveaxis(weights, number, 0)
            for part in axis.parts():
                along[part.start : part.stop] *= axis.mass(part[0]) / axis.denominator
        return weights

    def number(self, box: Sequence[range], at: int) -> int:
        """Number of region ``at`` of a box, in C order."""
        number = 0
        for n, along, g in zip(self.shape, box, unravel(at, _lengths(box)), strict=True):
            number = number * n + along[g]
        return number

    def numbers(self, box: Sequence[range]) -> NDArray[np.int64]:
        """Numbers of the regions of a box, in C order."""
        numbers = np.zeros(1, dtype=np.int64)
        for n, along in zip(self.shape, box, strict=True):
            numbers = np.add.outer(numbers * n, np.arange(along.start, along.stop)).ravel()
        return numbers

    def patch(
        self, region: int, uniforms: Sequence[float], excluded: NDArray[np.bool_] | None = None
    ) -> tuple[int, ...]:
        """Start of a patch of a region, in pixels.

        Where the patch would meet an excluded cell, it is moved back onto the region's own cell
        along as few axes as that takes. So weight goes nowhere but to patches beside excluded
        cells, and far from these every start stays as likely as it was.

        Parameters
        ----------
        region : int
            Number of a region whose own cell is not excluded.
        uniforms : sequence of float
            Random numbers, uniform on [0, 1): one per axis, and one to choose between axes.
        excluded : ndarray of bool, optional
            Excluded cells, in the shape of the grid.
        """
        cell = unravel(region, self.shape)
        offsets = []
        ahead = []
        for number, (g, axis) in enumerate(zip(cell, self.axes, strict=True)):
            offsets.append(axis.offset(g, uniforms[number]))
            if offsets[-1] and g < axis.n - 1:
                ahead.append(number)
        if excluded is not None and ahead:
            kept = _allowed(cell, ahead, excluded, uniforms[-1])
            for number in ahead:
                if number not in kept:
                    offsets[number] = 0
        return self._start(cell, offsets)

    def edge_patch(self, region: int) -> tuple[int, ...]:
        """Start of the patch of a region that meets its own cell and the image's border only."""
        cell = unravel(region, self.shape)
        return self._start(
            cell, [axis.end_offset(g) for g, axis in zip(cell, self.axes, strict=True)]
        )

    def _start(self, cell: Sequence[int], offsets: Sequence[int]) -> tuple[int, ...]:
        return tuple(
            g * p + offset for g, p, offset in zip(cell, self.patch_size, offsets, strict=True)
        )


def n_cells(box: Sequence[range]) -> int:
    """Number of regions of a box."""
    return prod(_lengths(box))


def _lengths(box: Sequence[range]) -> list[int]:
    # ``len`` of a range ends at 2⁶³ − 1.
    return [along.stop - along.start for along in box]


def _allowed(
    cell: Sequence[int], ahead: Sequence[int], excluded: NDArray[np.bool_], uniform: float
) -> Sequence[int]:
    """Axes out of ``ahead`` along which a patch may reach the next cells, as many as can be.

    A patch that reaches ahead along some axes meets the cells ahead along any of these axes. So a
    set of axes is allowed where its cell is free and all smaller sets are allowed; of the allowed
    sets that cannot grow, one is chosen by ``uniform``.
    """
    # Sets of axes as bits; each set comes after its subsets.
    allowed = [True]
    for axes in range(1, 1 << len(ahead)):
        at = list(cell)
        for bit, axis in enumerate(ahead):
            at[axis] += axes >> bit & 1
        allowed.append(
            not excluded[tuple(at)]
            and all(allowed[axes ^ 1 << bit] for bit in range(len(ahead)) if axes >> bit & 1)
        )
    largest = [
        axes
        for axes, is_allowed in enumerate(allowed)
        if is_allowed
        and not any(allowed[axes | 1 << bit] for bit in range(len(ahead)) if not axes >> bit & 1)
    ]
    chosen = largest[int(uniform * len(largest))]
    return [axis for bit, axis in enumerate(ahead) if chosen >> bit & 1]
