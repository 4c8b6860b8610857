"""What came of a training, compared; and an end before the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import nn

from napari_tessera.training import TrainingResult


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: one.clone() for name, one in network.state_dict().items()}


def same(first: TrainingResult, second: TrainingResult) -> bool:
    one, other = weights(first.network), weights(second.network)
    return (
        all(torch.equal(one[name], other[name]) for name in one)
        and first.losses == second.losses
        and first.step == second.step
    )


def after(steps: int) -> Callable[[], bool]:
    """A cancel that is true once it was asked so often before."""
    asked = itertools.count()
    return lambda: next(asked) >= steps
