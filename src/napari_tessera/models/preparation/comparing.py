"""Whether a prepared network computes what the plain one does."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_tessera.models.calling import Network

TOLERANCE = 1e-5
"""Largest difference in float32, as a share of the range of the plain network's answer."""

_OF_REDUCED = 1.5
"""In reduced precision: how much farther from float32 than the plain network it may be."""


def agrees(
    network: Network, expected: Tensor, batch: Tensor, plain_error: float | None = None
) -> bool:
    """Compare a network's answer with the plain one's.

    Parameters
    ----------
    network : callable
        What was prepared.
    expected : Tensor
        The plain network's answer in float32.
    batch : Tensor
        What both are given.
    plain_error : float, optional
        In reduced precision: largest difference of the plain network from ``expected``, as a share
        of its range.

    Returns
    -------
    bool
        Whether twice the same came out, of the same shape, within the tolerance. False where the
        network fails.
    """
    try:
        first, second = network(batch.clone()), network(batch.clone())
    except Exception:
        # any exception: the way that was tried does not suit this network
        return False
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return False
    if first.shape != expected.shape or not torch.equal(first, second):
        return False
    allowed = TOLERANCE if plain_error is None else _OF_REDUCED * plain_error + TOLERANCE
    return share_of_range(first, expected) <= allowed


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
