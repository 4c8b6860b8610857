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
        # A sum is finite where all pixels are; one that overflows only costs time.
        if self.only_finite and not torch.isfinite(batch.sum()):
            return self.plain(batch)
        made = self.run(channels_last(batch) if self.channels_last else batch)
        return made.contiguous() if isinstance(made, Tensor) else made
