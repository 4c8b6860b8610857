"""Patches flipped and turned, so that one place gives eight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_tessera.training.data.images import Pair


def choices(patch: tuple[int, ...], struct_axis: str | None) -> int:
    """How many ways there are: 8 with quarter turns, 4 without.

    A patch that is not square has no quarter turns; nor has one whose noise is correlated along
    one axis, since it would come to lie along the other one.
    """
    return 8 if patch[-1] == patch[-2] and struct_axis is None else 4


def turned(pixels: NDArray[np.generic], way: int) -> NDArray[np.generic]:
    """A view of C(Z)YX: bit 0 flips X, bit 1 flips Y, bit 2 exchanges the two. Z stays."""
    if way & 4:
        pixels = np.swapaxes(pixels, -1, -2)
    if way & 2:
        pixels = pixels[..., ::-1, :]
    return pixels[..., ::-1] if way & 1 else pixels


def turned_pair(pair: Pair, way: int) -> Pair:
    """Both images in the same way."""
    return turned(pair[0], way), None if pair[1] is None else turned(pair[1], way)
