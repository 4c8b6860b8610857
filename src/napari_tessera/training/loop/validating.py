"""How good the averaged weights are on what is held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import nn

from napari_tessera.training.data.source import BatchSource
from napari_tessera.training.loop.sample import Sample, make_sample
from napari_tessera.training.settings import TrainingSettings

_MOST_PATCHES = 256
"""Patches that are looked at: more take time, and tell little more."""

_LEAST_MASKED = 2.0
"""Pixels replaced, in per cent: the few of a training step would make the loss a game of chance."""

_SURE = 2.0
"""Standard errors that a difference must have to count."""


@dataclass(frozen=True)
class Validation:
    """Losses of single patches.

    Parameters
    ----------
    losses : tuple of float
        Mean over the values compared, of each patch.
    """

    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """The mean of the patches."""
        return math.fsum(self.losses) / len(self.losses)

    def is_surely_below(self, other: Validation) -> bool:
        """Whether the same patches have less loss here, by more than chance explains."""
        apart = [b - a for a, b in zip(self.losses, other.losses, strict=True)]
        mean = math.fsum(apart) / len(apart)
        if len(apart) < 2:
            return mean > 0
        spread = math.fsum((one - mean) ** 2 for one in apart) / (len(apart) - 1)
        return mean > _SURE * math.sqrt(spread / len(apart))


@torch.no_grad()
def validate(
    network: nn.Module,
    data: BatchSource,
    settings: TrainingSettings,
    device: torch.device,
    at_once: int,
) -> Validation | None:
    """Look at what is held out: the same patches, with the same pixels replaced, every time.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the device.
    data : BatchSource
        Gives the patches.
    settings : TrainingSettings
        Method and mask.
    device : torch.device
        Where it is computed, in float32.
    at_once : int
        Patches that go through the network at once.

    Returns
    -------
    Validation or None
        None where nothing is held out.
    """
    if not settings.validation_percent:
        return None
    if settings.self_supervised:
        masked = max(_LEAST_MASKED, settings.masked_percent)
        settings = replace(settings, masked_percent=masked)
    assert settings.batch_size is not None
    found: list[float] = []
    most = -(-_MOST_PATCHES // settings.batch_size)
    # batches as asked for, so that they are the same where memory got short
    for batch in islice(data.validation_batches(settings.batch_size), most):
        whole = make_sample(batch, settings)
        for start in range(0, len(whole), at_once):
            sample = whole.part(start, start + at_once).to(device)
            found += _each(network(sample.given), sample, settings.loss)
    return Validation(tuple(found)) if found else None


def _each(answer: torch.Tensor, sample: Sample, kind: str) -> Sequence[float]:
    apart = answer.float() - sample.wanted
    values = apart.abs() if kind == "l1" and sample.mask is None else apart.square()
    if sample.mask is None:
        means = values.flatten(1).mean(1)
    else:
        counts = sample.mask.flatten(1).sum(1).clamp_min(1)
        means = (values * sample.mask).flatten(1).sum(1) / counts
    listed: list[float] = means.tolist()
    return listed
