"""Pixels of layers for those who write them: as channels of one image, and watched."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class SavingCancelled(Exception):
    """Somebody wants no more of the pixels that are being written."""


@dataclass(frozen=True)
class LayerChannels:
    """Arrays of one shape as the channels of one image; nothing is read before it is asked for.

    Parameters
    ----------
    arrays : tuple of array-like
        One for each channel: NumPy, dask, Zarr, …
    """

    arrays: tuple[Any, ...] = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels first."""
        return (len(self.arrays), *(int(size) for size in self.arrays[0].shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of all of them."""
        dtype: np.dtype[Any] = np.dtype(self.arrays[0].dtype)
        return dtype

    @property
    def chunks(self) -> Any:
        """Lengths of the pieces that the arrays are stored in; None where they are not."""
        chunks = getattr(self.arrays[0], "chunks", None)
        return (1, *chunks) if chunks else None

    def __getitem__(self, part: tuple[slice, ...]) -> NDArray[Any]:
        """Pixels of slices along all axes."""
        channels, *rest = part
        return np.stack([np.asarray(array[tuple(rest)]) for array in self.arrays[channels]])


class WatchedPixels:
    """An image that counts what is read of it, and can be told to give no more.

    Parameters
    ----------
    pixels : array-like
        The image; it is read in one thread, and may be looked at from another.
    """

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels
        self._n_read = 0
        self._cancelled = threading.Event()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        shape: tuple[int, ...] = tuple(int(size) for size in self._pixels.shape)
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the image."""
        dtype: np.dtype[Any] = np.dtype(self._pixels.dtype)
        return dtype

    @property
    def chunks(self) -> Any:
        """Lengths of the pieces that the image is stored in; None where it is not."""
        return getattr(self._pixels, "chunks", None)

    @property
    def share(self) -> float:
        """How much was read so far, from 0 to 1; what is read again counts once more."""
        return min(self._n_read / max(prod(self.shape), 1), 1.0)

    def cancel(self) -> None:
        """Give no more pixels."""
        self._cancelled.set()

    def __getitem__(self, part: tuple[slice, ...]) -> NDArray[Any]:
        """Pixels of slices along all axes; raises `SavingCancelled` after `cancel`."""
        if self._cancelled.is_set():
            raise SavingCancelled
        pixels = np.asarray(self._pixels[part])
        self._n_read += pixels.size
        return pixels
