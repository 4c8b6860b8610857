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


def _ascending(wanted: slice, size: int) -> tuple[int, int, int]:
    """Bounds that hold all that a slice takes, and the step to take within them."""
    start, stop, step = wanted.indices(size)
    n = len(range(start, stop, step))
    if n == 0:
        return 0, 0, 1
    last = start + (n - 1) * step
    return (start, last + 1, step) if step > 0 else (last, start + 1, step)
