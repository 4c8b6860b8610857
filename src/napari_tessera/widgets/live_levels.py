"""Smaller levels of an output, filled as tiles come: what large planes are shown by."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.file_array import FileArray
from napari_tessera.writing import fill_value

LEVELS_FROM = 2048
"""Longest side, in pixels, from which a plane is shown by levels.

Refreshing a plane uploads all of it to the graphics card; of levels only what the canvas can show.
"""

SMALLEST_SIDE = 1024
"""The smallest level's plane is no longer; volumes of it are what 3D display shows."""

DEEPEST = 2048
"""Most planes of the smallest level: graphics cards often take no larger volume."""

FIRST_KEPT = 4
"""Factor from which a level in memory has pixels of its own.

At 2 it is a view, which saves a quarter of the output's memory and is read as fast. Of 16 a view of
30,000² pixels is read in 30 to 45 ms, pixels that lie together in one.
"""


def wants_levels(axes: str, shape: Sequence[int]) -> bool:
    """Whether an output is shown by levels; shape in the order of its axes."""
    sizes = dict(zip(axes, shape, strict=True))
    return max(sizes["Y"], sizes["X"]) >= LEVELS_FROM


def level_steps(axes: str, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Of every how many pixels each smaller level shows one, along each axis.

    Parameters
    ----------
    axes : str
        Axes of the output, in the order of ``shape``.
    shape : sequence of int
        Its shape.

    Returns
    -------
    tuple of tuple of int
        2, 4, 8, … along Y and X until the plane is at most `SMALLEST_SIDE`. The last level leaves
        out planes too, where there are more than `DEEPEST`.
    """
    sizes = dict(zip(axes, shape, strict=True))
    plane, depth = max(sizes["Y"], sizes["X"]), sizes.get("Z", 1)
    factors = [2]
    while -(-plane // factors[-1]) > SMALLEST_SIDE:
        factors.append(2 * factors[-1])
    thinned = 1
    if depth > DEEPEST:
        # A level that zoomed-out planes hardly ever need, as its planes are not all there.
        factors.append(2 * factors[-1])
        thinned = -(-depth // DEEPEST)
    steps = [tuple(f if letter in "YX" else 1 for letter in axes) for f in factors]
    steps[-1] = tuple(
        thinned if letter == "Z" else step for letter, step in zip(axes, steps[-1], strict=True)
    )
    return tuple(steps)


def thinned_shape(shape: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    """Shape of what is left where of every so many pixels one is taken."""
    return tuple(-(-size // step) for size, step in zip(shape, steps, strict=True))


class PickedLevel:
    """Every n-th pixel of an output, filled as tiles come.

    Pixels are picked and not averaged, so that each tile shows at once and what is not finished
    does not spread.

    Parameters
    ----------
    steps : sequence of int
        Of every how many pixels one is picked, along each axis.
    array : numpy.ndarray
        Where they go, in memory or in a file.
    """

    def __init__(self, steps: Sequence[int], array: NDArray[Any] | FileArray) -> None:
        self.steps = tuple(steps)
        self.array = array

    @property
    def factor(self) -> int:
        """Of every how many pixels of a row one is shown."""
        return max(self.steps)

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
        for part, step in zip(target, self.steps, strict=True):
            first = -(-part.start // step)
            here.append(slice(first, -(-part.stop // step)))
            within.append(slice(first * step - part.start, None, step))
        self.array[tuple(here)] = pixels[tuple(within)]


def kept_bytes(axes: str, shape: Sequence[int], itemsize: int) -> int:
    """Bytes that the levels of an output in memory take besides it.

    Parameters
    ----------
    axes : str
        Its axes.
    shape : sequence of int
        Its shape.
    itemsize : int
        Bytes of one value.
    """
    if not wants_levels(axes, shape):
        return 0
    kept = filter(_is_kept, level_steps(axes, shape))
    return sum(_pixels(shape, steps) for steps in kept) * itemsize


class LevelsInMemory:
    """Smaller levels of an array: views of it, and smaller arrays that are filled with it.

    Parameters
    ----------
    axes : str
        Its axes.
    array : numpy.ndarray
        The array.
    """

    def __init__(self, axes: str, array: NDArray[Any]) -> None:
        self._kept: list[PickedLevel] = []
        self._own: list[NDArray[Any]] = []
        self.arrays: list[NDArray[Any]] = []
        """The levels, the largest first; each shows at once what is put into it."""
        for steps in level_steps(axes, array.shape):
            if _is_kept(steps):
                self._own.append(_empty(array.shape, array.dtype, steps))
                self._kept.append(PickedLevel(steps, self._own[-1]))
                self.arrays.append(self._own[-1])
            else:
                self.arrays.append(array[tuple(slice(None, None, step) for step in steps)])

    def put(self, target: Sequence[slice], pixels: NDArray[Any]) -> None:
        """Take a block that was written to the array."""
        for level in self._kept:
            level.put(target, pixels)

    def clear(self) -> None:
        """Begin anew, as the array does."""
        for array in self._own:
            array.fill(fill_value(array.dtype))


def levels_within(
    axes: str,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    in_memory: int,
    in_files: int = 0,
) -> list[PickedLevel]:
    """Empty levels of an output that is not in memory: as many as there is room for.

    The smallest are in memory, so that napari, which reads the smallest of a plane once, has the
    very array that is filled. The next are in temporary files; the largest are left out first. One
    is always there, of however few pixels.

    Parameters
    ----------
    axes : str
        Axes of the output, in the order of ``shape``.
    shape : sequence of int
        Its shape.
    dtype : numpy.dtype
        What it is shown with.
    in_memory, in_files : int
        Bytes that the levels may take together.
    """
    steps = list(level_steps(axes, shape))
    while _bytes(shape, dtype, steps[-1]) > max(in_memory, in_files):
        if _side(axes, shape, steps[-1]) == 1:
            break
        steps.append(
            tuple(
                2 * step if letter in "YX" else step
                for letter, step in zip(axes, steps[-1], strict=True)
            )
        )
    chosen: list[PickedLevel] = []
    for each in reversed(steps):
        n_bytes = _bytes(shape, dtype, each)
        if (not chosen and n_bytes > in_files) or n_bytes <= in_memory:
            in_memory -= n_bytes
            array: NDArray[Any] | FileArray = _empty(shape, dtype, each)
        elif n_bytes <= in_files:
            # What is larger does not fit into memory either.
            in_memory, in_files = 0, in_files - n_bytes
            array = FileArray(thinned_shape(shape, each), dtype)
        else:
            break
        chosen.insert(0, PickedLevel(each, array))
    return chosen


def _empty(shape: Sequence[int], dtype: np.dtype[Any], steps: Sequence[int]) -> NDArray[Any]:
    return np.full(thinned_shape(shape, steps), fill_value(dtype), dtype)


def _bytes(shape: Sequence[int], dtype: np.dtype[Any], steps: Sequence[int]) -> int:
    return _pixels(shape, steps) * dtype.itemsize


def _side(axes: str, shape: Sequence[int], steps: Sequence[int]) -> int:
    sizes = dict(zip(axes, thinned_shape(shape, steps), strict=True))
    return max(sizes["Y"], sizes["X"])


def _pixels(shape: Sequence[int], steps: Sequence[int]) -> int:
    return prod(thinned_shape(shape, steps))


def _is_kept(steps: Sequence[int]) -> bool:
    return max(steps) >= FIRST_KEPT
