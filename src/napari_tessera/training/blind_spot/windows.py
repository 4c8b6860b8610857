"""What lies around hidden pixels: the values that may stand in for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_TRIES = 6


def random_neighbours(
    places: Sequence[Tensor], blind: Tensor, window: int, generator: torch.Generator
) -> tuple[tuple[Tensor, ...], Tensor]:
    """For each pixel another one out of the window around it, any of those alike.

    Only pixels that are in the patch, and that nothing is hidden of, are taken: through a hidden
    pixel's value in another place the network would see it after all.

    Parameters
    ----------
    places : sequence of torch.Tensor
        Pixels: indices along N, C, (Z), Y and X, on the CPU.
    blind : torch.Tensor
        Pixels that are not taken: bool, NC(Z)YX, on the CPU; true at all of the places.
    window : int
        Side of the window, odd, in pixels.
    generator : torch.Generator
        Of the CPU; moved on.

    Returns
    -------
    tuple of torch.Tensor
        Indices of the neighbours.
    torch.Tensor
        Whether there is one: false where everything in the window is hidden.
    """
    space = torch.tensor(blind.shape[2:])[:, None]
    at = torch.stack(list(places[2:]))
    low = (at - window // 2).clamp(min=0)
    sizes = torch.minimum(at + window // 2, space - 1) - low + 1
    uniform = torch.rand((_TRIES, *at.shape), generator=generator, dtype=torch.float64)
    tried = low + (uniform * sizes).long()
    fits = ~blind[(places[0], places[1], *tried.unbind(1))]
    # argmax gives the first of the largest
    first = fits.byte().argmax(0)
    found = fits.gather(0, first[None])[0]
    taken = tried.gather(0, first[None, None].expand(1, *at.shape))[0]
    left = (~found).nonzero()[:, 0]
    if len(left):
        chosen, whether = _any_of_window([axis[left] for axis in places], blind, window, generator)
        taken[:, left], found[left] = chosen, whether
    return (places[0], places[1], *taken), found


def window_values(batch: Tensor, places: Sequence[Tensor], blind: Tensor, window: int) -> Tensor:
    """What is in the window around each pixel; NaN for what is outside the patch, or hidden.

    Parameters
    ----------
    batch : torch.Tensor
        float32 NC(Z)YX, on any device.
    places, blind, window
        As for `random_neighbours`.

    Returns
    -------
    torch.Tensor
        A row for each pixel, of ``window ** 2`` (3D: ``** 3``) values, on the batch's device.
    """
    index, usable = _windows(places, blind, window)
    values = batch.flatten()[index.to(batch.device)]
    return values.masked_fill_(~usable.to(batch.device), torch.nan)


def _any_of_window(
    places: Sequence[Tensor], blind: Tensor, window: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """As `random_neighbours`, by looking at the whole window: for the few that chance missed."""
    index, usable = _windows(places, blind, window)
    scores = torch.rand(usable.shape, generator=generator).masked_fill(~usable, -1.0)
    chosen = index.gather(1, scores.argmax(1, keepdim=True))[:, 0]
    return torch.stack(torch.unravel_index(chosen, blind.shape)[2:]), usable.any(1)


def _windows(places: Sequence[Tensor], blind: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Numbers of all pixels of the windows, in C order, and which of these may be used."""
    sizes = blind.shape
    index = places[0] * sizes[1] + places[1]
    index, usable = index[:, None], torch.ones((len(index), 1), dtype=torch.bool)
    offsets = torch.arange(window) - window // 2
    for at, size in zip(places[2:], sizes[2:], strict=True):
        along = at[:, None] + offsets
        inside = (along >= 0) & (along < size)
        along = along.clamp_(0, size - 1)
        index = (index[:, :, None] * size + along[:, None, :]).flatten(1)
        usable = (usable[:, :, None] & inside[:, None, :]).flatten(1)
    return index, usable & ~blind.flatten()[index]
