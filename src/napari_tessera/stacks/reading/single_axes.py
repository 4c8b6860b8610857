"""Formats that store every image with the same axes, however many of them have one entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import validate_axes
from napari_tessera.stacks.array import Index


class BlockSource(Protocol):
    """What `WithoutAxes` needs of the array that it narrows."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None

    def __getitem__(self, index: Index, /) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis."""
        ...


class WithoutAxes:
    """An array-like that leaves axes of one entry out of another.

    Parameters
    ----------
    data : array-like
        The other one.
    kept : sequence of int
        Its axes that stay, ascending.
    """

    def __init__(self, data: BlockSource, kept: Sequence[int]) -> None:
        self._data = data
        self._kept = tuple(kept)
        self.shape = tuple(data.shape[axis] for axis in kept)
        """Shape without the axes left out."""
        self.dtype = data.dtype
        """Type of the pixels."""
        self.gives_new_arrays = bool(getattr(data, "gives_new_arrays", False))
        """Whether what is read is nobody else's memory."""
        self.keeps_chunks = bool(getattr(data, "keeps_chunks", False))
        """Whether what is decoded is kept for a while."""
        self.chunks = data.chunks and tuple(data.chunks[axis] for axis in kept)
        """Shape of a chunk without the axes left out."""

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis that is kept."""
        return self._data[self.whole(index)]

    def whole(self, index: Index) -> Index:
        """Index of the same pixels in the other array."""
        parts: list[int | slice] = [0] * len(self._data.shape)
        for axis, part in zip(self._kept, index, strict=True):
            parts[axis] = part
        return tuple(parts)


def choose_axes(
    letters: str, shape: Sequence[int], axes: str | None
) -> tuple[tuple[int, ...], str]:
    """Which axes of a format's fixed set an image has, and their letters.

    Parameters
    ----------
    letters : str
        The format's own axes.
    shape : sequence of int
        Their sizes.
    axes : str or None
        What was asked for: letters for all axes or for those of more than one entry, so that
        time may be depth. None for the latter by their own letters.

    Returns
    -------
    tuple of int
        The axes that stay. Y and X do, also where they have one entry.
    str
        Their letters.

    Raises
    ------
    ValueError
        If the letters do not describe the image (see `validate_axes`).
    """
    every = tuple(range(len(letters)))
    used = tuple(at for at in every if shape[at] > 1 or letters[at] in "YX")
    kept = every if axes is not None and len(axes) == len(every) else used
    if axes is None:
        axes = "".join(letters[at] for at in kept)
    validate_axes(axes, [shape[at] for at in kept])
    return kept, axes
