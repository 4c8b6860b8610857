"""What batch norms remember of a step, so that it can be taken back."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class NormMemory:
    """The running means, variances and counts of a network's batch norms, as they once were.

    They move in each forward pass, also in one whose gradients memory then is too short for.

    Parameters
    ----------
    network : torch.nn.Module
        In any mode, on any device.
    """

    def __init__(self, network: nn.Module) -> None:
        live = [
            buffer
            for module in network.modules()
            if isinstance(module, _BatchNorm)
            for buffer in module.buffers()
        ]
        self._pairs = [
            (group, [each.clone() for each in group])
            for dtype in dict.fromkeys(each.dtype for each in live)
            for group in [[each for each in live if each.dtype == dtype]]
        ]

    def keep(self) -> None:
        """Remember them as they are now."""
        for live, kept in self._pairs:
            _copy(kept, live)

    def restore(self) -> None:
        """Make them what they were when `keep` was called."""
        for live, kept in self._pairs:
            _copy(live, kept)


@torch.no_grad()
def _copy(to: list[Tensor], of: list[Tensor]) -> None:
    # all at once: on a GPU each call has its price
    torch._foreach_copy_(to, of)
