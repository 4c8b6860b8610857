"""Tensors laid out channels-last: the channels of a pixel side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(tensor: Tensor) -> Tensor:
    """The same tensor, its channels innermost where it is NCYX or NCZYX."""
    wanted = _FORMATS.get(tensor.ndim)
    return tensor if wanted is None else tensor.contiguous(memory_format=wanted)


def lay_out(network: nn.Module) -> int:
    """Lay the kernels of a network's convolutions out channels-last, in place.

    PyTorch's convolutions then give, and take, tensors of that layout.

    Returns
    -------
    int
        How many there are.
    """
    kernels = [weight for weight in network.parameters() if weight.ndim in _FORMATS]
    for weight in kernels:
        weight.data = channels_last(weight.data)
    return len(kernels)
