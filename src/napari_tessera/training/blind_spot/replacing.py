"""Hidden pixels replaced: by random neighbours (Noise2Void), by medians (N2V2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_tessera.training.blind_spot.windows import random_neighbours, window_values
from napari_tessera.training.errors import TrainingError


def replace_uniform(
    batch: Tensor,
    mask: Tensor,
    window: int,
    generator: torch.Generator,
    blind: Tensor | None = None,
) -> Tensor:
    """Replace pixels by neighbours, any of the window around them alike, never by themselves.

    Parameters
    ----------
    batch : torch.Tensor
        float32 ``NC(Z)YX``, on any device; not changed.
    mask : torch.Tensor
        Pixels that are replaced: bool, the same shape, on the CPU.
    window : int
        Side of the window, odd, in pixels. It is cut off at the border of the patch.
    generator : torch.Generator
        Of the CPU, so that a seed draws the same on every device; moved on.
    blind : torch.Tensor, optional
        Pixels that nothing is replaced by, beside those of the mask.

    Returns
    -------
    torch.Tensor
        The batch with other values at the pixels of the mask. Where no neighbour is left that is
        not hidden itself, the mean of what is not hidden in the patch and channel.

    Raises
    ------
    TrainingError
        If the mask is of another shape, or the window has no middle.
    """
    places, hidden = _checked(batch, mask, window, blind)
    return put(batch, places, uniform_values(batch, places, hidden, window, generator))


def replace_median(batch: Tensor, mask: Tensor, window: int, blind: Tensor | None = None) -> Tensor:
    """Replace pixels by the median of the window around them, themselves left out.

    Parameters, result and errors are those of `replace_uniform`, without chance. Of an even number
    of values the median is the lower one of the middle.
    """
    places, hidden = _checked(batch, mask, window, blind)
    return put(batch, places, median_values(batch, places, hidden, window))


def uniform_values(
    batch: Tensor,
    places: Sequence[Tensor],
    hidden: Tensor,
    window: int,
    generator: torch.Generator,
) -> Tensor:
    """Values of random neighbours for some pixels (see `replace_uniform`)."""
    neighbours, found = random_neighbours(places, hidden, window, generator)
    values = batch[tuple(axis.to(batch.device) for axis in neighbours)]
    if found.all():
        return values
    return torch.where(found.to(batch.device), values, _means(batch, places, hidden))


def median_values(batch: Tensor, places: Sequence[Tensor], hidden: Tensor, window: int) -> Tensor:
    """Medians for some pixels (see `replace_median`)."""
    medians = window_values(batch, places, hidden, window).nanmedian(dim=1).values
    return torch.where(medians.isnan(), _means(batch, places, hidden), medians)


def put(batch: Tensor, places: Sequence[Tensor], values: Tensor) -> Tensor:
    """The batch with these values at these pixels; the batch itself is not changed."""
    replaced = batch.clone()
    replaced[tuple(axis.to(batch.device) for axis in places)] = values
    return replaced


def _means(batch: Tensor, places: Sequence[Tensor], hidden: Tensor) -> Tensor:
    """For each pixel the mean of its patch and channel, of what is not hidden; 0 without any."""
    seen = (~hidden).to(batch.device)
    space = tuple(range(2, batch.ndim))
    means = batch.masked_fill(~seen, 0.0).sum(space) / seen.sum(space).clamp(min=1)
    return means[places[0].to(batch.device), places[1].to(batch.device)]


def _checked(
    batch: Tensor, mask: Tensor, window: int, blind: Tensor | None
) -> tuple[tuple[Tensor, ...], Tensor]:
    if batch.ndim not in (4, 5) or mask.shape != batch.shape:
        raise TrainingError(
            f"a mask of shape {tuple(mask.shape)} does not fit a batch of {tuple(batch.shape)}; "
            "both are NCYX or NCZYX"
        )
    if window < 3 or window % 2 == 0:
        raise TrainingError(
            f"mask window {window} has no middle with pixels around it; use an odd number of 3 "
            "or more",
            "mask_window",
        )
    mask = mask.cpu()
    return mask.nonzero(as_tuple=True), mask if blind is None else mask | blind.cpu()
