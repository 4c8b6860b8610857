"""A noisy image to measure with, in memory and as a real Zarr."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

CHUNK = 256
"""Edge of the Zarr's chunks along Y and X, in pixels."""

DTYPE = np.dtype(np.uint16)


def noisy_image(shape: Sequence[int], seed: int = 0) -> NDArray[np.uint16]:
    """Photons of a scene of smooth spots, counted: what a microscope gives, and compresses alike.

    Parameters
    ----------
    shape : sequence of int
        Any axes, Y and X last.
    seed : int
        Of the noise.

    Returns
    -------
    numpy.ndarray
        uint16.
    """
    random = np.random.default_rng(seed)
    y, x = np.ogrid[: shape[-2], : shape[-1]]
    plane = 60 + 50 * np.sin(y / 37.0) * np.sin(x / 23.0)
    image = np.empty(shape, DTYPE)
    for at in np.ndindex(*shape[:-2]):
        image[at] = random.poisson(plane)
    return image


def write_zarr(path: Path, image: NDArray[Any]) -> None:
    """Write an image as a Zarr array with chunks of one plane, compressed with zstd.

    Parameters
    ----------
    path : Path
        A folder that does not exist.
    image : numpy.ndarray
        Any axes, Y and X last.
    """
    chunks = (1,) * (image.ndim - 2) + tuple(min(CHUNK, size) for size in image.shape[-2:])
    stored = zarr.create_array(path, shape=image.shape, chunks=chunks, dtype=image.dtype)
    stored[...] = image


def bytes_needed(shape: Sequence[int], out_channels: int) -> tuple[int, int]:
    """What measuring an image takes at most: bytes of memory, and on the disk.

    Parameters
    ----------
    shape : sequence of int
        Of the image.
    out_channels : int
        Channels of the result, where the image has one; of each channel else.
    """
    pixels = prod(shape)
    # the image, its prediction and what is known of it; on the disk image and prediction
    memory = pixels * (DTYPE.itemsize + (2 * 4 + DTYPE.itemsize) * out_channels)
    return memory, pixels * (DTYPE.itemsize + 4 * out_channels)
