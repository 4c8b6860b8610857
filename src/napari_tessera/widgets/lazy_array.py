"""Arrays for napari that are computed where they are looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Bounds = tuple[tuple[int, int], ...]
"""Start and stop along each axis."""


class LazyArray(ABC):
    """An array that napari and NumPy can slice, of which nothing is stored.

    Parameters
    ----------
    shape : sequence of int
        Its shape.
    dtype : dtype
        Its dtype.
    """

    def __init__(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        self.shape = tuple(int(size) for size in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    @abstractmethod
    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        """Compute a block, one axis per axis of the array."""

    @property
    def reads(self) -> tuple[Any, ...]:
        """Arrays that it is computed from."""
        return ()

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Compute the part that an index of int, slice and Ellipsis names; others see it all."""
        given = index if isinstance(index, tuple) else (index,)
        if any(not isinstance(i, (int, np.integer, slice)) and i is not Ellipsis for i in given):
            whole: NDArray[Any] = np.asarray(self)[index]
            return whole
        if Ellipsis in given:
            at = given.index(Ellipsis)
            missing = self.ndim - len(given) + 1
            given = (*given[:at], *(slice(None),) * missing, *given[at + 1 :])
        given = given + (slice(None),) * (self.ndim - len(given))
        if len(given) > self.ndim:
            raise IndexError(f"{len(given)} indices for an array with {self.ndim} axes")
        bounds: list[tuple[int, int]] = []
        rest: list[slice | int] = []
        for i, size in zip(given, self.shape, strict=True):
            if isinstance(i, slice):
                first, last, step = _ascending(i, size)
                bounds.append((first, last))
                rest.append(slice(None, None, step))
            else:
                if not -size <= i < size:
                    raise IndexError(f"index {i} is outside an axis of size {size}")
                bounds.append((int(i) % size, int(i) % size + 1))
                rest.append(0)
        return self._compute(tuple(bounds))[tuple(rest)]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("nothing of this array is stored: it cannot be had without a copy")
        whole = self._compute(tuple((0, size) for size in self.shape))
        return whole if dtype is None else whole.astype(dtype, copy=False)


class KeptArray(LazyArray):
    """A small lazy array whose pixels are kept until they are renewed.

    napari reads the smallest level of a plane once, as an array: this one stays the same array and
    can be brought up to date.

    Parameters
    ----------
    source : LazyArray
        What it shows; read at once.
    """

    def __init__(self, source: LazyArray) -> None:
        super().__init__(source.shape, source.dtype)
        self._source = source
        self._pixels = np.asarray(source).copy()

    @property
    def reads(self) -> tuple[Any, ...]:
        """What it shows."""
        return (self._source,)

    def renew(self) -> None:
        """Read what it shows again."""
        self._pixels[...] = np.asarray(self._source)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        return self._pixels[tuple(slice(*part) for part in bounds)]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if dtype is not None and np.dtype(dtype) != self.dtype:
            return self._pixels.astype(dtype)
        return self._pixels.copy() if copy else self._pixels


class EveryNth(LazyArray):
    """Every n-th pixel of part of an array; nothing is read before it is looked at.

    Parameters
    ----------
    array : array-like
        The array; a colour axis may follow the others, and stays as it is.
    start : sequence of int
        Index of the first pixel that is taken, along each axis.
    steps : sequence of int
        Of every how many pixels one is taken.
    shape : sequence of int
        How many are taken.
    """

    def __init__(
        self, array: Any, start: Sequence[int], steps: Sequence[int], shape: Sequence[int]
    ) -> None:
        super().__init__((*shape, *array.shape[len(shape) :]), array.dtype)
        self._array, self._start, self._steps = array, tuple(start), tuple(steps)

    @property
    def reads(self) -> tuple[Any, ...]:
        """The array."""
        return (self._array,)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        parts = []
        for (first, last), at, step in zip(bounds, self._start, self._steps, strict=False):
            stop = at + (last - 1) * step + 1 if last > first else at + first * step
            parts.append(slice(at + first * step, stop, step))
        colours = [slice(*part) for part in bounds[len(parts) :]]
        return np.asarray(self._array[(*parts, *colours)])


class Reordered(LazyArray):
    """A lazy array with its axes in another order, and without some of length 1.

    Parameters
    ----------
    array : LazyArray
        The array.
    axes : str
        Its axes.
    order : str
        Axes wanted.
    """

    def __init__(self, array: LazyArray, axes: str, order: str) -> None:
        self._from = [axes.index(letter) for letter in order]
        super().__init__([array.shape[d] for d in self._from], array.dtype)
        self._array = array

    @property
    def reads(self) -> tuple[Any, ...]:
        """The array."""
        return (self._array,)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        index: list[slice | int] = [0] * self._array.ndim
        for d, part in zip(self._from, bounds, strict=True):
            index[d] = slice(*part)
        block = self._array[tuple(index)]
        return block.transpose(np.argsort(np.argsort(self._from)))


def _ascending(wanted: slice, size: int) -> tuple[int, int, int]:
    """Bounds that hold all that a slice takes, and the step to take within them."""
    start, stop, step = wanted.indices(size)
    n = len(range(start, stop, step))
    if n == 0:
        return 0, 0, 1
    last = start + (n - 1) * step
    return (start, last + 1, step) if step > 0 else (last, start + 1, step)
