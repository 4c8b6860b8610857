"""Patches as a network takes them: float32, normalized, in one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_tessera.models.own_format.document import EPSILON
from napari_tessera.training.data.images import Pair
from napari_tessera.training.data.source import Statistics


def tensors(pairs: Sequence[Pair], statistics: Statistics) -> tuple[Tensor, Tensor | None]:
    """Normalize patches and put them together.

    Parameters
    ----------
    pairs : sequence of (ndarray, ndarray or None)
        C(Z)YX of the noisy and the clean image, in any type; at least one.
    statistics : Statistics
        Of both.

    Returns
    -------
    torch.Tensor, torch.Tensor or None
        float32 ``NC(Z)YX`` of the noisy images, and of the clean ones where there are such.
    """
    noisy = _together([pair[0] for pair in pairs], statistics.means, statistics.stds)
    clean = [pair[1] for pair in pairs if pair[1] is not None]
    if not clean or statistics.target_means is None or statistics.target_stds is None:
        return noisy, None
    return noisy, _together(clean, statistics.target_means, statistics.target_stds)


def _together(
    patches: Sequence[NDArray[np.generic]], means: Sequence[float], stds: Sequence[float]
) -> Tensor:
    per_channel = (-1, *(1,) * (patches[0].ndim - 1))
    mean = np.array(means).reshape(per_channel)
    scale = 1 / (np.array(stds).reshape(per_channel) + EPSILON)
    out = np.empty((len(patches), *patches[0].shape), np.float32)
    for number, patch in enumerate(patches):
        # in float64, as a mean may be large beside the differences that count
        out[number] = (patch - mean) * scale
    return torch.from_numpy(out)
