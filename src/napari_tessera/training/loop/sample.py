"""What the network is given in a step, and what its answer is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_tessera.training.blind_spot import manipulate, masked_loss
from napari_tessera.training.data.source import Batch
from napari_tessera.training.loop.network import memory_format
from napari_tessera.training.settings import TrainingSettings


@dataclass(frozen=True)
class Sample:
    """What the network is given, and what its answer is compared with.

    Parameters
    ----------
    given, wanted : Tensor
        float32, NC(Z)YX.
    mask : Tensor or None
        bool, of the shape of `wanted`: the pixels that are compared; None for all.
    """

    given: Tensor
    wanted: Tensor
    mask: Tensor | None

    def __len__(self) -> int:
        return self.given.shape[0]

    def to(self, device: torch.device) -> Sample:
        """The same on a device, in the order of memory that convolutions are fastest in."""
        order = memory_format(self.given.ndim - 2)
        given = self.given.to(device, memory_format=order)
        mask = None if self.mask is None else self.mask.to(device)
        return Sample(given, self.wanted.to(device), mask)

    def part(self, start: int, stop: int) -> Sample:
        """Some of the patches."""
        mask = None if self.mask is None else self.mask[start:stop]
        return Sample(self.given[start:stop], self.wanted[start:stop], mask)

    def weight(self) -> int:
        """How many values are compared."""
        return self.wanted.numel() if self.mask is None else int(self.mask.sum())


def make_sample(batch: Batch, settings: TrainingSettings) -> Sample:
    """Make a sample of a batch: with a target, or by replacing pixels.

    Parameters
    ----------
    batch : Batch
        Patches.
    settings : TrainingSettings
        Method and mask.
    """
    if not settings.self_supervised:
        assert batch.target is not None, "a source for supervised training gives targets"
        return Sample(batch.noisy, batch.target, None)
    given, mask = manipulate(batch.noisy, settings, batch.number)
    return Sample(given, batch.noisy, mask)


def loss_of(answer: Tensor, sample: Sample, kind: str) -> Tensor:
    """How far an answer is from what is wanted: a mean over the values compared, in float32.

    Parameters
    ----------
    answer : Tensor
        Of the network.
    sample : Sample
        What it is compared with.
    kind : {"l1", "l2"}
        Mean absolute or mean square difference; of replaced pixels always the latter.
    """
    if sample.mask is not None:
        return masked_loss(answer.float(), sample.wanted, sample.mask)
    apart = answer.float() - sample.wanted
    return apart.abs().mean() if kind == "l1" else apart.square().mean()
