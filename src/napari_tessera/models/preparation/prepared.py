"""A network that was prepared, called as the network itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_tessera.models.calling import Network
from napari_tessera.models.preparation.layout import channels_last


@dataclass(frozen=True)
class PreparedNetwork:
    """A prepared network, and the plain one for what it is not fit for.

    Parameters
    ----------
    run : callable
        Takes and gives NC(Z)YX.
    plain : callable
        The network as it was loaded, on the same device.
    channels_last : bool
        Whether tiles are laid out channels-last for it.
    only_finite : bool
        Whether it loses NaN on its way: tiles with NaN or infinite pixels go through ``plain``.
    """

    run: Callable[[Tensor], Any]
    plain: Network
    channels_last: bool = False
    only_finite: bool = False

    def __call__(self, batch: Tensor) -> Any:
        """Run it on a batch; tensors come back in PyTorch's usual layout."""
        if not self.only_finite:
            return self._run(batch)
        # A sum is finite where all pixels are; one that overflows only costs time.
        fit = torch.isfinite(batch.flatten(1).sum(1))
        if bool(fit.all()):
            return self._run(batch)
        plain = self.plain(batch)
        if not bool(fit.any()) or not isinstance(plain, Tensor):
            return plain
        # whole batches through both: what a tile gives depends on no other one in its batch
        return torch.where(fit.reshape(-1, *(1,) * (plain.ndim - 1)), self._run(batch), plain)

    def _run(self, batch: Tensor) -> Any:
        made = self.run(channels_last(batch) if self.channels_last else batch)
        return made.contiguous() if isinstance(made, Tensor) else made
