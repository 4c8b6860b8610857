"""Which cells of a grid have a pixel in a mask, read block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 2**26
"""Pixels of a mask that are read at once, where a row of cells has more than one cell."""


@dataclass(frozen=True)
class PixelMask:
    """An image whose pixels are inside where they are neither 0 nor NaN.

    Parameters
    ----------
    axes : str
        Its axes, letters of the image that it is for.
    shape : tuple of int
        The image's size along them, or 1: then it holds for all of the axis.
    read : callable
        From slices along these axes to pixels.
    """

    axes: str
    shape: tuple[int, ...]
    read: Callable[[tuple[slice, ...]], NDArray[Any]]

    def marks(self, block: Mapping[str, slice]) -> NDArray[np.bool_]:
        """Pixels of a block that are inside; axes that are not named are read whole."""
        pixels = self.read(
            tuple(
                slice(0, 1) if size == 1 else block.get(letter, slice(0, size))
                for letter, size in zip(self.axes, self.shape, strict=True)
            )
        )
        inside: NDArray[np.bool_] = pixels != 0
        return inside & ~np.isnan(pixels) if pixels.dtype.kind == "f" else inside


def met_cells(
    mask: PixelMask, axes: str, cells: Sequence[Sequence[tuple[int, int]]]
) -> NDArray[np.bool_]:
    """Find the cells in which a mask has a pixel.

    Parameters
    ----------
    mask : PixelMask
        The mask.
    axes : str
        Letters of the grid's axes, X last; along those that the mask has besides, a pixel anywhere
        counts.
    cells : sequence of sequence of (int, int)
        Start and stop of each cell along each of them, X in one piece.

    Returns
    -------
    numpy.ndarray of bool
        Over the cells, 1 long along axes that the mask has not, or is 1 long along.
    """
    sizes = dict(zip(mask.axes, mask.shape, strict=True))
    along = [
        own if sizes.get(letter, 1) > 1 else own[:1]
        for letter, own in zip(axes, cells, strict=True)
    ]
    met = np.zeros([len(own) for own in along], np.bool_)
    at_x = mask.axes.index("X")
    for place in product(*(range(len(own)) for own in along[:-1])):
        block = {letter: slice(*own[i]) for letter, own, i in zip(axes, along, place, strict=False)}
        for first, last in _pieces(along[-1], _pixels_of(mask, block)):
            row = along[-1][first:last]
            marks = mask.marks({**block, "X": slice(row[0][0], row[-1][1])})
            others = tuple(i for i in range(marks.ndim) if i != at_x)
            columns = marks.any(axis=others)
            starts = [start - row[0][0] for start, _ in row]
            met[place][first:last] = np.logical_or.reduceat(columns, starts)
    return met


def _pixels_of(mask: PixelMask, block: Mapping[str, slice]) -> int:
    """Pixels of a block for one along X."""
    pixels = 1
    for letter, size in zip(mask.axes, mask.shape, strict=True):
        if letter != "X" and size > 1:
            part = block.get(letter, slice(0, size))
            pixels *= part.stop - part.start
    return pixels


def _pieces(row: Sequence[tuple[int, int]], pixels: int) -> Iterator[tuple[int, int]]:
    """Cut a row of cells into parts that are read at once."""
    longest = max(stop - start for start, stop in row)
    count = max(1, MOST_PIXELS // (pixels * longest))
    for first in range(0, len(row), count):
        yield first, min(first + count, len(row))
