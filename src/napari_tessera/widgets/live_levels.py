"""Levels of an output whose plane is too large to be shown whole, live while tiles come."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.writing import fill_value

LARGEST_PLANE = 8192
"""Longest side, in pixels, of a plane that is shown as one picture.

Half of what graphics cards take as a texture; at 4 bytes 268 MB that are read and uploaded with
each refresh.
"""

OVERVIEW_SIDE = 4096
OVERVIEW_BYTES = 2**28


def wants_levels(axes: str, shape: Sequence[int]) -> bool:
    """Whether an output is shown by levels; shape in the order of its axes."""
    sizes = dict(zip(axes, shape, strict=True))
    return max(sizes["Y"], sizes["X"]) > LARGEST_PLANE


class Overview:
    """Every n-th pixel along Y and X of an output, in memory, filled as tiles come.

    The last level on disk is written when all below it is there, at the very end of a run; without
    this somebody who looks at the whole plane would see nothing until then. Pixels are picked and
    not averaged, so that each tile shows at once.

    Parameters
    ----------
    axes : str
        Axes of the output, in the order of ``shape``.
    shape : sequence of int
        Its shape.
    dtype : numpy.dtype
        Its data type.
    """

    def __init__(self, axes: str, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        factor = 2
        while True:
            sizes = tuple(
                -(-size // factor) if letter in "YX" else size
                for letter, size in zip(axes, shape, strict=True)
            )
            plane = max(s for letter, s in zip(axes, sizes, strict=True) if letter in "YX")
            small = prod(sizes) * dtype.itemsize <= OVERVIEW_BYTES and plane <= OVERVIEW_SIDE
            if small or plane == 1:
                break
            factor *= 2
        self.factor = factor
        self.array: NDArray[Any] = np.full(sizes, fill_value(dtype), dtype)
        self._steps = tuple(factor if letter in "YX" else 1 for letter in axes)

    def put(self, target: Sequence[slice], pixels: NDArray[Any]) -> None:
        """Take the pixels of a block that show here.

        Parameters
        ----------
        target : sequence of slice
            Where the block lies in the output.
        pixels : numpy.ndarray
            The block.
        """
        here, within = [], []
        for part, step in zip(target, self._steps, strict=True):
            first = -(-part.start // step)
            here.append(slice(first, -(-part.stop // step)))
            within.append(slice(first * step - part.start, None, step))
        self.array[tuple(here)] = pixels[tuple(within)]
