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

Cells = Sequence[tuple[int, int]]
"""Start and stop of each cell along an axis."""


@dataclass(frozen=True)
class PixelMask:
    """An image whose pixels are inside where they are neither 0 nor NaN.

    Parameters
    ----------
    axes : str
        A letter for each of its axes. Along those that a grid has not, a pixel anywhere counts.
    shape : tuple of int
        Its size along them.
    read : callable
        From slices along these axes to pixels.
    """

    axes: str
    shape: tuple[int, ...]
    read: Callable[[tuple[slice, ...]], NDArray[Any]]

    def marks(self, block: Mapping[str, slice]) -> NDArray[np.bool_]:
        """Pixels of a block that are inside; axes that are not named are read whole."""
        pixels = np.asarray(
            self.read(
                tuple(
                    block.get(letter, slice(0, size))
                    for letter, size in zip(self.axes, self.shape, strict=True)
                )
            )
        )
        inside: NDArray[np.bool_] = pixels != 0
        return inside & ~np.isnan(pixels) if pixels.dtype.kind == "f" else inside


def met_cells(mask: PixelMask, axes: str, cells: Sequence[Cells]) -> NDArray[np.bool_]:
    """Find the cells in which a mask has a pixel.

    Parameters
    ----------
    mask : PixelMask
        The mask.
    axes : str
        Letters of the grid's axes, the last one an axis of the mask.
    cells : sequence of sequence of (int, int)
        The cells along each of them, in the mask's pixels where it has that axis. They may lie in
        any order, overlap, or be empty.

    Returns
    -------
    numpy.ndarray of bool
        Over the cells, 1 long along axes that the mask has not.
    """
    along = [
        own if letter in mask.axes else own[:1] for letter, own in zip(axes, cells, strict=True)
    ]
    met = np.zeros([len(own) for own in along], np.bool_)
    last = axes[-1]
    others = tuple(i for i, letter in enumerate(mask.axes) if letter != last)
    for place in product(*(range(len(own)) for own in along[:-1])):
        block = {
            letter: slice(*own[i])
            for letter, own, i in zip(axes, along, place, strict=False)
            if letter in mask.axes
        }
        if any(part.start >= part.stop for part in block.values()):
            continue
        for first, stop in _pieces(along[-1], _pixels_of(mask, block, last)):
            row = np.array(along[-1][first:stop])
            low, high = int(row[:, 0].min()), int(row[:, 1].max())
            if low >= high:
                continue
            columns = mask.marks({**block, last: slice(low, high)}).any(axis=others)
            before = np.concatenate([[0], np.cumsum(columns)])
            starts, stops = np.clip(row.T - low, 0, high - low)
            met[place][first:stop] = before[stops] > before[starts]
    return met


def _pixels_of(mask: PixelMask, block: Mapping[str, slice], last: str) -> int:
    """Pixels of a block for one along the last axis."""
    pixels = 1
    for letter, size in zip(mask.axes, mask.shape, strict=True):
        if letter != last:
            part = block.get(letter, slice(0, size))
            pixels *= part.stop - part.start
    return pixels


def _pieces(row: Cells, pixels: int) -> Iterator[tuple[int, int]]:
    """Cut a row of cells into parts that are read at once."""
    longest = max(1, *(stop - start for start, stop in row), 1)
    count = max(1, MOST_PIXELS // (pixels * longest))
    for first in range(0, len(row), count):
        yield first, min(first + count, len(row))
