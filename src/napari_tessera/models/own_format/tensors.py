"""Test tensors: a part of an image in sizes that the network takes, and what it makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.own_format.document import TrainedDocument
from napari_tessera.models.processing import SampleStatistics

Floats = NDArray[np.float32]

_MOST = {2: (256, 256), 3: (32, 128, 128)}
"""Pixels of a stored test along each axis: large enough for a look, small beside the weights."""


def fitted(image: NDArray[Any], settings: UNetSettings) -> Floats:
    """Cut or pad an image to sizes that a network takes, none larger than a test should be.

    Parameters
    ----------
    image : numpy.ndarray
        C(Z)YX or NC(Z)YX; of N the first two are taken.
    settings : UNetSettings
        The network.

    Returns
    -------
    numpy.ndarray
        NC(Z)YX, float32, contiguous.

    Raises
    ------
    ValueError
        If the axes or channels are not the network's.
    """
    dims, period = settings.spatial_dims, 2**settings.depth
    whole = image[None] if image.ndim == dims + 1 else image[:2]
    if whole.ndim != dims + 2 or whole.shape[1] != settings.in_channels or 0 in whole.shape:
        raise ValueError(
            f"a test of shape {image.shape} is none for {settings.in_channels} channel(s) in "
            f"{dims}D"
        )
    sizes = [
        max(min(size, most) // period, 1) * period
        for size, most in zip(whole.shape[2:], _MOST[dims], strict=True)
    ]
    return sized(whole, sizes)


def sized(image: NDArray[Any], sizes: Sequence[int]) -> Floats:
    """Cut out the middle of an image NC(Z)YX, or mirror it at its far ends, to sizes of (Z)YX."""
    inner = [
        slice((n - s) // 2, (n - s) // 2 + s) if n > s else slice(None)
        for n, s in zip(image.shape[2:], sizes, strict=True)
    ]
    cut = image[(slice(None), slice(None), *inner)]
    missing = [(0, max(s - n, 0)) for n, s in zip(cut.shape[2:], sizes, strict=True)]
    padded = np.pad(cut, [(0, 0), (0, 0), *missing], mode="symmetric")
    return np.ascontiguousarray(padded, np.float32)


def grey_levels_through(network: nn.Module, document: TrainedDocument, image: Floats) -> Floats:
    """Grey levels through normalization, network and back, the whole image at once.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on the CPU.
    document : TrainedDocument
        Says how grey levels are normalized.
    image : numpy.ndarray
        NC(Z)YX, float32, in sizes that the network takes.

    Returns
    -------
    numpy.ndarray
        NC(Z)YX, float32.
    """
    settings = document.settings
    numbers = document.processing.resolve(
        SampleStatistics({}), settings.in_channels, settings.out_channels
    )
    made = []
    for sample in image:
        with torch.no_grad():
            answer = network(torch.from_numpy(numbers.scaled(sample))[None])[0]
        made.append(numbers.shifted(numbers.finished(answer)))
    return np.stack(made).astype(np.float32)
