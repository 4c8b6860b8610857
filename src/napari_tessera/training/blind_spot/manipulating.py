"""A batch as a blind-spot network sees it, and what it is judged by."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_tessera.training.blind_spot.places import draw_places, mask_of
from napari_tessera.training.blind_spot.replacing import median_values, put, uniform_values
from napari_tessera.training.blind_spot.struct import struct_mask
from napari_tessera.training.settings import TrainingSettings


def manipulate(batch: Tensor, settings: TrainingSettings, number: int) -> tuple[Tensor, Tensor]:
    """Hide pixels of a batch.

    No value of a hidden pixel is left anywhere in what the network sees: neither at its place nor
    as a replacement of another one. So what a network predicts there has no gradient with respect
    to it.

    Parameters
    ----------
    batch : torch.Tensor
        float32 ``NC(Z)YX``, on any device; not changed.
    settings : TrainingSettings
        `method`, `masked_percent`, `mask_window`, `struct_axis`, `struct_span` and `seed` count.
    number : int
        Of the batch, of any sign: the same seed and number hide the same pixels.

    Returns
    -------
    torch.Tensor
        What the network sees.
    torch.Tensor
        The pixels that it is judged by: bool, the same shape and device. With `struct_axis` more
        pixels are hidden than these.
    """
    generator = torch.Generator().manual_seed(mask_seed(settings.seed, number))
    places = draw_places(batch.shape, settings.masked_percent, generator)
    mask = mask_of(batch.shape, places)
    hidden = mask
    seen = batch
    if settings.struct_axis is not None:
        hidden = struct_mask(mask, settings.struct_axis, settings.struct_span)
        beside = (hidden & ~mask).nonzero(as_tuple=True)
        values = uniform_values(batch, beside, hidden, settings.mask_window, generator)
        seen = put(batch, beside, values)
    if settings.method == "n2v2":
        values = median_values(batch, places, hidden, settings.mask_window)
    else:
        values = uniform_values(batch, places, hidden, settings.mask_window, generator)
    return put(seen, places, values), mask.to(batch.device)


def masked_loss(output: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """Mean square difference at the hidden pixels.

    Parameters
    ----------
    output, original : torch.Tensor
        What the network predicts, and what was hidden: NC(Z)YX.
    mask : torch.Tensor
        True at the hidden pixels; the same shape.

    Returns
    -------
    torch.Tensor
        One value, in float32.
    """
    # no index by the mask: that would wait for a GPU to count the pixels
    difference = (output.float() - original.float()) * mask
    return difference.square().sum() / mask.sum()


def mask_seed(seed: int, number: int) -> int:
    """Seed of the masks of a batch, for any sign of its number."""
    entropy = (seed, 2 * number if number >= 0 else -2 * number - 1)
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)
