"""An image read without its hot pixels, and what has to be known of it for that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.hot_pixels import (
    MARGIN,
    HotPixels,
    known,
    standing_out,
    without_hot_pixels,
)
from napari_tessera.prediction.statistics import few_blocks
from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.padding import check_patch, inside, pad_patch
from napari_tessera.stacks.stack_view import StackView

SAMPLES = 16
"""Samples that are looked at, evenly spread: hot pixels belong to the camera, not to the time."""

PIXELS = 2**18
"""Pixels of each channel that are looked at in all, about."""

LEAST_PIXELS = 2**14
"""Pixels of each channel that are looked at in one sample."""

MAY_BE_HOT = 0.01
"""Share of the pixels that may be hot: those that stand out most are left out by as much."""

FEW = 4
"""Pixels that may be hot in an image of any size."""


def hot_pixels_of(stack: ImageStack) -> HotPixels:
    """Find out how far pixels of an image stand out that are not hot, to tell those that are.

    Of all pixels looked at, how far they are beyond all of their neighbours, 0 for most of them:
    the largest number of these but for `MAY_BE_HOT` of the pixels. Single photons on a dark
    ground, which stand out as much, are ordinary where they are as frequent as that.

    Parameters
    ----------
    stack : ImageStack
        The image, nothing folded. What is looked at does not depend on what is predicted, so that
        a preview has the pixels of a full run.

    Returns
    -------
    HotPixels
        With 0 for channels of which nothing is known.
    """
    total, channels, *spatial = (int(size) for size in stack.data_shape)
    if getattr(stack, "is_outline", False):
        return HotPixels((0.0,) * channels)
    steps = np.linspace(0, total - 1, min(SAMPLES, total)).round()
    samples = sorted({int(step) for step in steps})
    blocks = few_blocks(spatial, max(LEAST_PIXELS, PIXELS // len(samples)))
    found: list[list[NDArray[np.float64]]] = [[] for _ in range(channels)]
    counts = [0] * channels
    for sample in samples:
        for coords, size in blocks:
            block = np.asarray(stack.extract_patch(sample, None, coords, size))
            if block.dtype.kind not in "iuf":
                continue
            for channel, pixels in enumerate(block):
                counts[channel] += int(np.count_nonzero(known(pixels)))
                planes = pixels.reshape(-1, *pixels.shape[-2:])
                found[channel] += [standing_out(plane) for plane in planes]
    return HotPixels(tuple(map(_ordinary, found, counts)))


def _ordinary(found: Sequence[NDArray[np.float64]], count: int) -> float:
    """The largest of some numbers but for those that may be of hot pixels."""
    left_out = max(FEW, round(MAY_BE_HOT * count))
    values = np.concatenate([*found, np.empty(0)])
    if values.size <= left_out:
        return 0.0
    return float(np.partition(values, values.size - 1 - left_out)[values.size - 1 - left_out])


def read_both(
    stack: ImageStack,
    hot_pixels: HotPixels,
    sample: int,
    channels: Sequence[int] | None,
    coords: Sequence[int],
    size: Sequence[int],
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read a patch as it is, and without its hot pixels.

    `MARGIN` pixels more are read along Y and X, as far as the image has them, so that every pixel
    is judged by its surroundings in the image wherever the patch ends.

    Parameters
    ----------
    stack : ImageStack
        The image, nothing folded.
    hot_pixels : HotPixels
        What was found of the image.
    sample, channels, coords, size
        As for ``extract_patch``; inside the image.

    Returns
    -------
    tuple of numpy.ndarray
        The patch as it is and as the model sees it, ``C(Z)YX``.
    """
    start, stop = with_margin(coords, size, stack.data_shape[2:])
    grown = [b - a for a, b in zip(start, stop, strict=True)]
    pixels = np.asarray(stack.extract_patch(sample, channels, start, grown))
    cleaned = without_hot_pixels(pixels, hot_pixels.of_channels(channels))
    ends = zip(coords, start, size, strict=True)
    part = (slice(None), *(slice(at - first, at - first + n) for at, first, n in ends))
    return pixels[part], cleaned[part]


def with_margin(
    coords: Sequence[int], size: Sequence[int], shape: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Where a part of an image begins and ends with what has to be read around it.

    Parameters
    ----------
    coords, size : sequence of int
        Part along (Z)YX, inside the image.
    shape : sequence of int
        The image along (Z)YX.
    """
    margins = (0,) * (len(coords) - 2) + (MARGIN, MARGIN)
    start = [max(0, c - m) for c, m in zip(coords, margins, strict=True)]
    ends = zip(coords, size, margins, shape, strict=True)
    return start, [min(c + n + m, end) for c, n, m, end in ends]


class CleanedStack(StackView):
    """An `ImageStack` of another one's pixels without those that are hot.

    Parameters
    ----------
    stack : ImageStack
        The image, nothing folded.
    hot_pixels : HotPixels
        What was found of it.
    """

    def __init__(self, stack: ImageStack, hot_pixels: HotPixels) -> None:
        super().__init__(stack)
        self.hot_pixels = hot_pixels
        """What was found of the image."""

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Shape of the stack as ``SC(Z)YX``."""
        return tuple(self.stack.data_shape)

    @property
    def original_axes(self) -> str:
        """Axes of the stack."""
        return self.stack.original_axes

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[np.generic]:
        """Read one patch as ``C(Z)YX`` (see `ImageStack`)."""
        channels = check_patch(self.data_shape, sample_idx, channels, coords, patch_size)
        start, size = inside(coords, patch_size, self.data_shape[2:])
        if not all(size):
            held = self.data_shape[1] if channels is None else len(channels)
            return np.zeros((held, *patch_size), self.data_dtype)
        _, cleaned = read_both(self.stack, self.hot_pixels, sample_idx, channels, start, size)
        return pad_patch(coords, patch_size, self.data_shape, cleaned)


def cleaned(stack: ImageStack, hot_pixels: HotPixels | None) -> ImageStack:
    """A stack as models see it; the stack itself where hot pixels are kept, or none is known."""
    if hot_pixels is None or getattr(stack, "is_outline", False):
        return stack
    return CleanedStack(stack, hot_pixels)
