"""Which pixels are hidden: one in each of as many boxes as there are pixels to hide."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

import torch
from torch import Tensor

from napari_tessera.training.errors import TrainingError


def hidden_per_patch(space: Sequence[int], percent: float) -> int:
    """How many pixels of a patch are hidden in each channel: the share, rounded, at least 1."""
    return max(1, min(prod(space), round(prod(space) * percent / 100)))


def draw_places(
    shape: Sequence[int], percent: float, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw the pixels of a batch that are hidden.

    A patch is cut into boxes of equal size, as many as pixels are hidden or a few more. Of a box
    one pixel is taken, any of them alike; where there are more boxes than are needed some are left
    out by chance. The boxes begin anywhere, and one that reaches beyond the border goes on at the
    opposite one. So hidden pixels lie evenly, each patch has the same number of them, each channel
    has its own, and no pixel is hidden more often than others.

    Parameters
    ----------
    shape : sequence of int
        NC(Z)YX of the batch.
    percent : float
        Pixels of each channel that are hidden, in per cent.
    generator : torch.Generator
        Of the CPU; moved on.

    Returns
    -------
    tuple of torch.Tensor
        Indices along N, C, (Z), Y and X: int64 on the CPU, all of the same length, no pixel
        twice.

    Raises
    ------
    TrainingError
        If the shape is none of a batch, or the share not in 0…100 %.
    """
    if len(shape) not in (4, 5) or min(shape) < 1:
        raise TrainingError(f"a batch of shape {tuple(shape)} is not NCYX or NCZYX, or empty")
    if not 0 < percent <= 100:
        raise TrainingError(f"masked percent {percent} is outside 0…100; use 0.2", "masked_percent")
    patches, space = shape[0] * shape[1], shape[2:]
    hidden = hidden_per_patch(space, percent)
    boxes = _boxes(space, hidden)
    n_boxes = prod(boxes)
    # the first of a row in random order: so many boxes, none of them twice
    chosen = torch.rand((patches, n_boxes), generator=generator).argsort(dim=1)[:, :hidden]
    within = torch.rand((len(space), patches, hidden), generator=generator, dtype=torch.float64)
    shifts = torch.rand((len(space), patches, 1), generator=generator, dtype=torch.float64)
    rest = chosen
    along: list[Tensor] = []
    for axis in reversed(range(len(space))):
        box, rest = rest % boxes[axis], rest // boxes[axis]
        start = box * space[axis] // boxes[axis]
        stop = (box + 1) * space[axis] // boxes[axis]
        at = start + (within[axis] * (stop - start)).long()
        shifted = (at + (shifts[axis] * space[axis]).long()) % space[axis]
        along.insert(0, shifted.flatten())
    patch = torch.arange(patches).repeat_interleave(hidden)
    return (patch // shape[1], patch % shape[1], *along)


def mask_of(shape: Sequence[int], places: Sequence[Tensor]) -> Tensor:
    """A mask of a batch that is true at some pixels: bool, on the CPU."""
    mask = torch.zeros(tuple(shape), dtype=torch.bool)
    mask[tuple(places)] = True
    return mask


def draw_mask(shape: Sequence[int], percent: float, generator: torch.Generator) -> Tensor:
    """Draw a mask of the pixels that are hidden (see `draw_places`): bool, ``NC(Z)YX``, CPU."""
    return mask_of(shape, draw_places(shape, percent, generator))


def _boxes(space: Sequence[int], hidden: int) -> list[int]:
    """Boxes along each axis, as cubic as can be; together at least as many as are needed."""
    side = (prod(space) / hidden) ** (1 / len(space))
    boxes = [max(1, min(size, ceil(size / side - 1e-9))) for size in space]
    # an axis shorter than a side leaves more to the others
    while prod(boxes) < hidden:
        widest = max(range(len(space)), key=lambda axis: space[axis] / boxes[axis])
        boxes[widest] += 1
    return boxes
