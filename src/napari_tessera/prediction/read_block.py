"""Blocks of a whole image in its own axes, out of what reads patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks import ImageStack


def read_block(stack: ImageStack, block: Sequence[slice]) -> NDArray[Any]:
    """Read part of an image as it lies in the image, not as a model takes it.

    Parameters
    ----------
    stack : ImageStack
        The image, nothing folded.
    block : sequence of slice
        Start and stop along each of ``stack.original_axes``, inside the image.

    Returns
    -------
    numpy.ndarray
        In the order of ``stack.original_axes``, of ``stack.data_dtype``.

    Raises
    ------
    StackReadError
        If pixels cannot be read.
    """
    axes = stack.original_axes
    sizes = dict(zip(axes, stack.original_data_shape, strict=True))
    parts = dict(zip(axes, block, strict=True))
    czyx = "CZYX" if "Z" in axes else "CYX"
    channels = parts.get("C", slice(0, 1))
    space = [parts[letter] for letter in czyx[1:]]
    coords, size = [p.start for p in space], [p.stop - p.start for p in space]
    result = np.empty([part.stop - part.start for part in block], stack.data_dtype)
    samples, times = parts.get("S", slice(0, 1)), parts.get("T", slice(0, 1))
    for sample in range(samples.start, samples.stop):
        for time in range(times.start, times.stop):
            patch = stack.extract_patch(
                sample * int(sizes.get("T", 1)) + time,
                range(channels.start, channels.stop),
                coords,
                size,
            )
            letters, pixels = czyx, np.asarray(patch)
            if "C" not in axes:
                letters, pixels = czyx[1:], pixels[0]
            own = [letter for letter in axes if letter in letters]
            position = {"S": sample - samples.start, "T": time - times.start}
            index = tuple(position.get(letter, slice(None)) for letter in axes)
            result[index] = pixels.transpose([letters.index(letter) for letter in own])
    return result
