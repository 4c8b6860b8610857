"""A right stack in a few lines of NumPy, for others to be broken versions of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Broken = Callable[[Array], Any]
"""Makes a stack that is wrong in one way."""


class Right:
    """A stack of axes STCYX or STCZYX, S and T merged by hand."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self._image = array.reshape(-1, *array.shape[2:])
        self.source = "right"
        self.original_axes = "STCZYX" if array.ndim == 6 else "STCYX"
        self.original_data_shape: Any = array.shape
        self.data_shape: Any = self._image.shape
        self.data_dtype: Any = array.dtype

    def check(
        self, sample: int, channels: Sequence[int] | None, coords: Any, size: Any
    ) -> list[int]:
        """The channels that are wanted, all arguments checked."""
        if not 0 <= sample < self._image.shape[0]:
            raise IndexError(f"sample {sample}")
        wanted = list(range(self._image.shape[1]) if channels is None else channels)
        if any(not 0 <= channel < self._image.shape[1] for channel in wanted):
            raise IndexError(f"channels {wanted}")
        space = self._image.ndim - 2
        if len(coords) != space or len(size) != space or min(size) < 1:
            raise ValueError(f"coords {coords}, size {size}")
        return wanted

    def margins(self, coords: Any, size: Any) -> list[tuple[int, int]]:
        """Pixels before and after the image, along each axis of space."""
        return [
            (int(min(max(-at, 0), n)), int(min(max(at + n - length, 0), n)))
            for at, n, length in zip(coords, size, self._image.shape[2:], strict=True)
        ]

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Any,
        patch_size: Any,
    ) -> Any:
        wanted = self.check(sample_idx, channels, coords, patch_size)
        margins = self.margins(coords, patch_size)
        inside = tuple(
            slice(at + before, max(at + n - after, at + before))
            for at, n, (before, after) in zip(coords, patch_size, margins, strict=True)
        )
        if any(before + after >= n for n, (before, after) in zip(patch_size, margins, strict=True)):
            return np.zeros((len(wanted), *patch_size), self.data_dtype)
        return self.padded(self._image[(sample_idx, wanted, *inside)], margins)

    def padded(self, block: Array, margins: list[tuple[int, int]]) -> Array:
        return np.pad(block, [(0, 0), *margins])
