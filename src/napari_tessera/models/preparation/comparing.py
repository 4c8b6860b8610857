"""Whether a prepared network computes what the plain one does."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_tessera.models.calling import Network
from napari_tessera.models.short_memory import is_out_of_memory

TOLERANCE = 1e-5
"""Largest difference in float32, as a share of the range of the plain network's answer."""

_OF_REDUCED = 1.5
"""In reduced precision: how much farther from float32 than the plain network it may be."""


LEVELS = ((0.01, 0.0), (100.0, 500.0), (1e4, 3e4))
"""Gain and offset of the further tiles: code may act on grey levels that noise does not have."""


@dataclass(frozen=True)
class Sample:
    """What a network is given, and what is to come out.

    Parameters
    ----------
    batch : Tensor
        The tiles.
    expected : Tensor
        The plain network's answer in float32.
    extent : float
        What differences are a share of.
    plain_error : float, optional
        In reduced precision: largest difference of the plain network from ``expected``, as a share
        of that.
    """

    batch: Tensor
    expected: Tensor
    extent: float
    plain_error: float | None = None

    def share(self, answer: Tensor) -> float:
        """Largest difference of an answer; infinite where numbers are finite in one alone."""
        first, second = answer.float(), self.expected.to(answer.device).float()
        finite = torch.isfinite(second)
        if first.shape != second.shape or not torch.equal(torch.isfinite(first), finite):
            return float("inf")
        if not finite.any():
            return 0.0
        difference = float((first - second)[finite].abs().max())
        if difference == 0:
            return 0.0
        return difference / self.extent if self.extent else float("inf")


def agrees(network: Network, sample: Sample) -> bool:
    """Compare a network's answer with the plain one's.

    Returns
    -------
    bool
        Whether twice the same came out, of the same shape, within the tolerance. False where the
        network fails; memory that ran out is raised.
    """
    try:
        first, second = network(sample.batch.clone()), network(sample.batch.clone())
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # any exception: the way that was tried does not suit this network
        return False
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return False
    if not torch.equal(first.nan_to_num(), second.nan_to_num()):
        return False
    error_of_plain = sample.plain_error
    allowed = TOLERANCE if error_of_plain is None else _OF_REDUCED * error_of_plain + TOLERANCE
    return sample.share(first) <= allowed


def extent_of(answer: Tensor) -> float:
    """Range of the finite numbers of an answer."""
    numbers = answer[torch.isfinite(answer)].float()
    return float(numbers.max() - numbers.min()) if numbers.numel() else 0.0


def share_of_range(answer: Tensor, expected: Tensor) -> float:
    """Largest difference of two tensors, as a share of the range of the second.

    Returns
    -------
    float
        Infinite where one has a number that the other has not, or that is not finite.
    """
    first, second = answer.float(), expected.float()
    if not (torch.isfinite(first).all() and torch.isfinite(second).all()):
        return float("inf")
    difference = float((first - second).abs().max())
    extent = float(second.max() - second.min())
    if difference == 0:
        return 0.0
    return difference / extent if extent else float("inf")
