"""Where a patch lies in an array of any axis order, worked out once for all patches of an image."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import AxesTransform

Index = tuple[int | slice, ...]
"""One int or slice of step 1 per axis of a source, inside it and never empty."""


def spans_of(index: Index) -> list[tuple[int, int]]:
    """Start and stop along each axis of what an index takes; an int takes one entry."""
    return [(i.start, i.stop) if isinstance(i, slice) else (i, i + 1) for i in index]


class PatchIndex:
    """`get_patch_slices` and `reshape_patch` for one image, without their checks.

    What depends on the axes alone is worked out here, as small patches take no longer to copy
    than it does.

    Parameters
    ----------
    axes : str
        Letters out of ``STCZYX``, one per axis of the array.
    shape : sequence of int
        Shape of the array.

    Raises
    ------
    ValueError
        If the axes do not describe the shape.
    """

    def __init__(self, axes: str, shape: Sequence[int]) -> None:
        transform = AxesTransform(axes, tuple(shape))
        self._times = transform.original_dim_sizes.get("T", 1)
        entries = "STC" + transform.spatial_axes
        self._in_order = itemgetter(*(entries.index(letter) for letter in axes))
        left = [letter for letter in axes if letter not in "ST"]
        order = [left.index(letter) for letter in "CZYX" if letter in left]
        self._order = None if order == sorted(order) else order
        self._has_channels = "C" in axes

    def index(
        self, sample_idx: int, channels: slice, start: Sequence[int], size: Sequence[int]
    ) -> Index:
        """Index of the part of a sample that begins at ``start``, inside the image."""
        s, t = divmod(int(sample_idx), self._times)
        space = [slice(at, at + length) for at, length in zip(start, size, strict=True)]
        index: Index = self._in_order((s, t, channels, *space))
        return index

    def as_czyx(self, block: NDArray[Any]) -> NDArray[Any]:
        """What was read at an index, as ``C(Z)YX``: a view."""
        if self._order is not None:
            block = block.transpose(self._order)
        return block if self._has_channels else block[np.newaxis]
