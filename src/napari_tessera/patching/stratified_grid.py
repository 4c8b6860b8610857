"""Sampling regions of one image: where they lie, what they weigh, which patches they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.bins import unravel


class WeightClass(NamedTuple):
    """A box of regions that all weigh the same."""

    box: tuple[range, ...]
    """Grid coordinates along each axis."""
    weight: Fraction
    """Patches per epoch."""


@dataclass(frozen=True)
class RegionGrid:
    """Sampling regions of an image: twice the patch size, every patch size, clipped to the image.

    Along an axis of size s with patch p there are s // p of them. Region g gives the patches that
    start at g·p … g·p + p − 1, the last one those that start at g·p … s − p. Cell g, the pixels
    g·p … g·p + p − 1, is what an exclusion takes away; the s mod p pixels after the last cell
    belong to no cell. Regions are numbered in C order (X fastest).

    A region weighs 1, its number of patches per epoch. With p starts of 1/p each, every pixel
    whose patches all start inside the image is then selected once. The last region of an axis
    weighs (s mod p)/p more, so that all weigh Π s/p together: the weight of the starts that would
    lie outside goes to s − p, whose patch meets none but the last p pixels.

    Parameters
    ----------
    spatial : tuple of int
        Shape of the image in (Z)YX, in pixels.
    patch_size : tuple of int
        In (Z)YX, in pixels; no larger than the image.
    """

    spatial: tuple[int, ...]
    patch_size: tuple[int, ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of regions along each axis."""
        return tuple(s // p for s, p in zip(self.spatial, self.patch_size, strict=True))

    @cached_property
    def rests(self) -> tuple[int, ...]:
        """Number of pixels after the last cell, along each axis."""
        return tuple(s % p for s, p in zip(self.spatial, self.patch_size, strict=True))

    @cached_property
    def size(self) -> int:
        """Number of regions."""
        return prod(self.shape)

    def classes(self) -> Iterator[WeightClass]:
        """All regions, sorted into boxes of equal weight."""
        along = []
        for n, p, rest in zip(self.shape, self.patch_size, self.rests, strict=True):
            if rest:
                parts = [(range(n - 1), Fraction(1)), (range(n - 1, n), Fraction(p + rest, p))]
            else:
                parts = [(range(n), Fraction(1))]
            along.append([part for part in parts if part[0]])
        for combination in product(*along):
            box = tuple(part for part, _ in combination)
            yield WeightClass(box, prod((weight for _, weight in combination), start=Fraction(1)))

    def weights(self) -> NDArray[np.float64]:
        """Weight of every region, in the shape of the grid."""
        weights = np.ones(self.shape)
        for axis, (p, rest) in enumerate(zip(self.patch_size, self.rests, strict=True)):
            last = [slice(None)] * len(self.shape)
            last[axis] = slice(-1, None)
            weights[tuple(last)] *= (p + rest) / p
        return weights

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
        for axis, (g, n, p, rest) in enumerate(
            zip(cell, self.shape, self.patch_size, self.rests, strict=True)
        ):
            if g == n - 1:
                offsets.append(min(int(uniforms[axis] * (p + rest)), rest))
            else:
                offsets.append(int(uniforms[axis] * p))
                if offsets[-1]:
                    ahead.append(axis)
        if excluded is not None and ahead:
            kept = _allowed(cell, ahead, excluded, uniforms[-1])
            for axis in ahead:
                if axis not in kept:
                    offsets[axis] = 0
        return self._start(cell, offsets)

    def edge_patch(self, region: int) -> tuple[int, ...]:
        """Start of the patch of a region that meets its own cell and the image's far edge only."""
        cell = unravel(region, self.shape)
        return self._start(
            cell,
            [
                rest if g == n - 1 else 0
                for g, n, rest in zip(cell, self.shape, self.rests, strict=True)
            ],
        )

    def _start(self, cell: Sequence[int], offsets: Sequence[int]) -> tuple[int, ...]:
        return tuple(
            g * p + offset for g, p, offset in zip(cell, self.patch_size, offsets, strict=True)
        )


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
