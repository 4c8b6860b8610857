"""A mask whose pixels do not lie on those of the image, as where it has another scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.inside.pixels import Cells, PixelMask, met_cells

_STRAIGHT = 1e-9
"""A part of the matrix that is smaller turns nothing, of an image of a million pixels."""


@dataclass(frozen=True)
class PlacedMask:
    """A mask, and where it lies on the image.

    Parameters
    ----------
    pixels : array-like
        Neither 0 nor NaN inside; anything with ``shape`` and ``__getitem__``.
    axes : str
        Letters of the image's axes that the last axes of the mask belong to, in the mask's order.
        Along its further axes, a pixel anywhere counts.
    matrix, offset : sequence of sequence of float, sequence of float
        A position in the mask is ``matrix @ position in the image + offset``, along ``axes``, in
        pixels: the centre of the first one is 0. A pixel of the image is inside where
        its centre lies in a pixel of the mask that is.

    Raises
    ------
    ValueError
        If their sizes do not go together.
    """

    pixels: Any
    axes: str
    matrix: tuple[tuple[float, ...], ...]
    offset: tuple[float, ...]

    def __post_init__(self) -> None:
        n = len(self.axes)
        matrix = tuple(tuple(float(part) for part in row) for row in self.matrix)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "offset", tuple(float(part) for part in self.offset))
        if len(self.pixels.shape) < n or np.shape(matrix) != (n, n) or len(self.offset) != n:
            raise ValueError(
                f"a mask of {len(self.pixels.shape)} axes is placed along {self.axes} by a matrix "
                f"of {np.shape(matrix)}: give one row and one column for each of {self.axes}"
            )

    def met(self, axes: str, cells: Sequence[Cells]) -> NDArray[np.bool_]:
        """Find the cells of a grid that have a pixel inside.

        Parameters
        ----------
        axes : str
            Letters of the grid's axes, X last.
        cells : sequence of sequence of (int, int)
            Start and stop of each cell along each of them, in pixels of the image.

        Returns
        -------
        numpy.ndarray of bool
            Over the cells, 1 long along axes that the mask has not.
        """
        matrix, mask = np.array(self.matrix), self._mask
        if (np.abs(matrix - np.diag(np.diag(matrix))) > _STRAIGHT).any():
            return self._sampled(axes, cells)
        of_mask = list(cells)
        for at, letter in enumerate(self.axes):
            if letter in axes:
                step, start = matrix[at, at], self.offset[at]
                of_mask[axes.index(letter)] = [
                    self._within(at, sorted((step * first + start, step * (stop - 1) + start)))
                    for first, stop in cells[axes.index(letter)]
                ]
        return met_cells(mask, axes, of_mask)

    @property
    def _mask(self) -> PixelMask:
        shape = tuple(int(size) for size in self.pixels.shape)
        # small letters are those of no grid
        further = "abcdefghijklmnopqrstuvwxyz"[: len(shape) - len(self.axes)]
        return PixelMask(further + self.axes, shape, self.pixels.__getitem__)

    def _within(self, at: int, ends: Sequence[float]) -> tuple[int, int]:
        """Pixels of the mask from one position to another along an axis, start and stop."""
        size = int(self.pixels.shape[at - len(self.axes)])
        low, high = np.floor(np.asarray(ends) + 0.5)
        return int(np.clip(low, 0, size)), int(np.clip(high + 1, 0, size))

    def _sampled(self, axes: str, cells: Sequence[Cells]) -> NDArray[np.bool_]:
        """The same where axes are turned into each other: at the centre of each pixel."""
        matrix, offset, mask = np.array(self.matrix), np.array(self.offset), self._mask
        along = [own if a in self.axes else own[:1] for a, own in zip(axes, cells, strict=True)]
        met = np.zeros([len(own) for own in along], np.bool_)
        places = [axes.index(letter) for letter in self.axes]
        further = tuple(range(len(mask.axes) - len(self.axes)))
        for place in product(*(range(len(own)) for own in along)):
            block = [along[at][place[at]] for at in places]
            middle = np.array([(first + stop - 1) / 2 for first, stop in block])
            half = np.array([(stop - 1 - first) / 2 for first, stop in block])
            centre, reach = matrix @ middle + offset, np.abs(matrix) @ half
            around = [
                self._within(at, ends)
                for at, ends in enumerate(zip(centre - reach, centre + reach, strict=True))
            ]
            if any(first >= stop for first, stop in around):
                continue
            parts = {a: slice(*part) for a, part in zip(self.axes, around, strict=True)}
            marks = np.asarray(mask.marks(parts).any(axis=further))
            met[place] = marks.any() and _hit(marks, around, block, matrix, offset)
        return met


def _hit(
    marks: NDArray[np.bool_],
    around: Cells,
    block: Cells,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> bool:
    """Whether the centre of a pixel of a block lies in a mark."""
    grid = np.meshgrid(*(np.arange(first, stop) for first, stop in block), indexing="ij")
    at = np.floor(np.tensordot(matrix, np.stack(grid), 1).reshape(len(block), -1).T + offset + 0.5)
    at -= [first for first, _ in around]
    inside = ((at >= 0) & (at < marks.shape)).all(axis=1)
    return bool(marks[tuple(at[inside].astype(np.intp).T)].any())
