"""What a training loop asks of its data: batches, and what is known of the grey levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from napari_tessera.models.own_format.document import EPSILON as EPSILON


@dataclass(frozen=True)
class Statistics:
    """Grey levels of the training part, one value per channel, in the image's own units.

    A network sees ``(x − mean) / (std + 1e-6)``; what it gives is brought back as
    ``y · (std + 1e-6) + mean``, with the target's statistics where there is a target.

    Parameters
    ----------
    means, stds : tuple of float
        Of the noisy image.
    target_means, target_stds : tuple of float or None
        Of the clean image; None where there is none.
    """

    means: tuple[float, ...]
    stds: tuple[float, ...]
    target_means: tuple[float, ...] | None = None
    target_stds: tuple[float, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """The values as lists (see `models` for what a model file holds)."""

        def listed(values: tuple[float, ...] | None) -> list[float] | None:
            return None if values is None else list(values)

        return {
            "means": list(self.means),
            "stds": list(self.stds),
            "target_means": listed(self.target_means),
            "target_stds": listed(self.target_stds),
        }


@dataclass(frozen=True)
class Batch:
    """Patches that are put into the network together.

    Parameters
    ----------
    noisy : torch.Tensor
        float32 ``NC(Z)YX`` on the CPU, normalized, contiguous.
    target : torch.Tensor or None
        The same of the clean image; None where the method needs none.
    number : int
        Seeds what is drawn for this batch, as blind-spot masks. That of the training batch of
        step k is k; those of validation are negative, so that the two share no masks.
    """

    noisy: Tensor
    target: Tensor | None
    number: int


@runtime_checkable
class BatchSource(Protocol):
    """Where a training loop gets its patches from."""

    @property
    def channels(self) -> int:
        """Channels of the noisy image."""
        ...

    @property
    def spatial_dims(self) -> int:
        """2 where patches are YX, 3 where they are ZYX."""
        ...

    @property
    def patches(self) -> int:
        """Patches of one pass over the training part."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of stack, target, mask, split and statistics: the same one gives the same batches."""
        ...

    @property
    def statistics(self) -> Statistics:
        """Of the training part."""
        ...

    def training_batch(self, step: int, batch_size: int) -> Batch:
        """The batch of a step, a function of the seed and these two alone; from any thread.

        Parameters
        ----------
        step : int
            From 0.
        batch_size : int
            Patches in it. Batches of one size follow each other without a gap: they are the
            patches ``step · batch_size`` … of one endless sequence.
        """
        ...

    def validation_batches(self, batch_size: int) -> Iterator[Batch]:
        """All patches of the held-out part, the same ones every time; none if nothing is."""
        ...

    def close(self) -> None:
        """End threads and release what is kept; image stacks stay open."""
        ...
