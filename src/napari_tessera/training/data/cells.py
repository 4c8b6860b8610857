"""The grid of cells that decides where patches may lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[tuple[int, int], ...]
"""Start and stop along (Z)YX, in pixels or in cells."""


_SUMMED = 2**20


@dataclass(frozen=True)
class CellGrid:
    """Cells of one patch's size, side by side from 0; the last one along an axis takes the rest.

    They are the cells of `StratifiedPatching`, but for the rest. A patch that holds a pixel of the
    rest holds one of the last cell as well, in the same row and column: where that cell is
    excluded, so is the rest.

    Parameters
    ----------
    space, patch : tuple of int
        Size of image and patch along (Z)YX in pixels; no patch larger than the image.
    """

    space: tuple[int, ...]
    patch: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along (Z)YX."""
        return tuple(s // p for s, p in zip(self.space, self.patch, strict=True))

    @property
    def size(self) -> int:
        """Number of cells."""
        return prod(self.shape)

    def pixels(self, cells: Box) -> Box:
        """Pixels of a box of cells."""
        return tuple(
            (start * p, size if stop == n else stop * p)
            for (start, stop), p, n, size in zip(
                cells, self.patch, self.shape, self.space, strict=True
            )
        )

    def pixels_of(self, cells: Box) -> NDArray[np.int64]:
        """How many pixels each cell of a box of cells has, in the shape of the box."""
        counts = np.ones((), np.int64)
        for (start, stop), p, n, size in zip(
            cells, self.patch, self.shape, self.space, strict=True
        ):
            own = np.full(stop - start, p)
            if stop == n:
                own[-1] = size - (n - 1) * p
            counts = np.multiply.outer(counts, own)
        return counts

    def touched(self, coords: Sequence[int]) -> tuple[slice, ...]:
        """Cells that a patch meets."""
        return tuple(
            slice(min(at // p, n - 1), min((at + p - 1) // p, n - 1) + 1)
            for at, p, n in zip(coords, self.patch, self.shape, strict=True)
        )

    def means(self, pixels: NDArray[np.generic]) -> NDArray[np.float64]:
        """Mean of an image in each cell, in the shape of the grid."""
        sums = self.sums(pixels)
        sums /= self.pixels_of(tuple((0, n) for n in self.shape))
        return sums

    def sums(self, pixels: NDArray[np.generic]) -> NDArray[np.float64]:
        """Sum of an image in each cell, in the shape of the grid; made block by block."""
        sums = np.empty(self.shape, np.float64)
        for cells in self.blocks(_SUMMED):
            block: NDArray[Any] = pixels[_slices(self.pixels(cells))]
            # rows first: they are added as they lie in memory
            for axis, ((start, stop), p) in enumerate(zip(cells, self.patch, strict=True)):
                block = _summed(block, axis, stop - start, p)
            sums[_slices(cells)] = block
        return sums

    def blocks(self, most: int, chunks: Sequence[int] | None = None) -> Iterator[Box]:
        """Cut the grid into boxes of cells of at most so many pixels, or one cell and its rest.

        First axes are cut first, so that the pixels of a box lie together. With the sizes of
        chunks a box is about one of them, and as many more along X as there is room for.
        """
        each = self._strip(most)
        if chunks is not None:
            of_chunk = [
                min(n, max(1, -(-chunk // p)))
                for n, p, chunk in zip(self.shape, self.patch, chunks, strict=True)
            ]
            fitting = most // prod(n * p for n, p in zip(of_chunk, self.patch, strict=True))
            if fitting:
                each = [*of_chunk[:-1], min(self.shape[-1], of_chunk[-1] * fitting)]
        along = [
            [(at, min(at + step, n)) for at in range(0, n, step)]
            for n, step in zip(self.shape, each, strict=True)
        ]
        yield from product(*along)

    def _strip(self, most: int) -> list[int]:
        each, beside = list(self.shape), 1
        for axis, p in enumerate(self.patch):
            one = beside * p * prod(self.space[axis + 1 :])
            each[axis] = max(1, min(self.shape[axis], most // one))
            if one <= most:
                break
            beside *= p
        return each

    def of(self, cells: Box) -> CellGrid:
        """The grid of a box of cells alone."""
        return CellGrid(tuple(stop - start for start, stop in self.pixels(cells)), self.patch)

    def runs(self, included: NDArray[np.bool_], box: Box) -> Iterator[Box]:
        """Boxes of pixels that make up the included cells of a box of cells: rows along X."""
        for leading in product(*(range(start, stop) for start, stop in box[:-1])):
            start, stop = box[-1]
            row = np.flatnonzero(
                np.diff(included[leading][start:stop].astype(np.int8), prepend=0, append=0)
            )
            for first, last in row.reshape(-1, 2).tolist():
                yield self.pixels(
                    (*((at, at + 1) for at in leading), (start + first, start + last))
                )


def _slices(box: Box) -> tuple[slice, ...]:
    return tuple(slice(*along) for along in box)


def _summed(pixels: NDArray[Any], axis: int, cells: int, patch: int) -> NDArray[np.float64]:
    """Sum each so many pixels along an axis, and the rest with the last of them."""
    first = np.moveaxis(pixels, axis, 0)
    sums = np.zeros((cells, *first.shape[1:]), np.float64)
    for at in range(patch):
        sums += first[at : cells * patch : patch]
    for rest in first[cells * patch :]:
        sums[-1] += rest
    return np.moveaxis(sums, 0, axis)
