"""Convolutions with their activation in one pass, by oneDNN, with weights laid out for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from napari_tessera.models.preparation.activations import Activation, activation_of
from napari_tessera.models.preparation.folding import CONVOLUTIONS
from napari_tessera.models.preparation.tracing import only_user, plain_module, put_module

_NAMES = {"relu": "none", "leaky_relu": "leaky_relu", "silu": "swish"}
"""What oneDNN calls activations; it has no ELU here. Its ReLU makes 0 of NaN, also of one that
arises in the network: ReLU is computed behind it, in place, for a few per cent of the time."""


def can_fuse() -> bool:
    """Whether this PyTorch has oneDNN, and the operations that its own compiler uses it with."""
    onednn: Any = torch.backends.mkldnn
    if not onednn.is_available() or not onednn.enabled:
        return False
    names = ("_convolution_pointwise", "_reorder_convolution_weight")
    return all(hasattr(torch.ops.mkldnn, name) for name in names)


def fuse_convolutions(opened: fx.GraphModule) -> int:
    """Have oneDNN compute convolutions with the activation behind them, in place of the graph.

    Only float32 on the CPU is treated.

    Returns
    -------
    int
        How many convolutions are computed so.
    """
    found = 0
    for node in list(opened.graph.nodes):
        convolution = plain_module(opened, node)
        if type(convolution) not in CONVOLUTIONS[1:] or not _fits(convolution):
            continue
        after = only_user(node)
        activation = None if after is None else activation_of(opened, after)
        if activation is not None and (activation.kind not in _NAMES or _clips(activation)):
            activation = None
        put_module(opened, node, FusedConvolution(convolution, activation))
        found += 1
        if after is not None and activation is not None:
            after.replace_all_uses_with(node)
            opened.graph.erase_node(after)
    opened.recompile()
    return found


def _clips(activation: Activation) -> bool:
    """Whether it is a leaky ReLU that oneDNN takes for one that is none."""
    return activation.kind == "leaky_relu" and activation.number == 0


def _fits(convolution: Any) -> bool:
    return (
        convolution.padding_mode == "zeros"
        and _padding(convolution) is not None
        and convolution.weight.dtype == torch.float32
        and convolution.weight.device.type == "cpu"
        # depthwise kernels and the like: oneDNN's layouts for groups gain nothing here
        and convolution.groups == 1
    )


def _padding(convolution: Any) -> list[int] | None:
    """Pixels at both ends of each axis; None where the ends differ."""
    if convolution.padding == "valid":
        return [0] * len(convolution.kernel_size)
    if convolution.padding != "same":
        return list(convolution.padding)
    pairs = zip(convolution.kernel_size, convolution.dilation, strict=True)
    lost = [step * (size - 1) for size, step in pairs]
    return None if any(n % 2 for n in lost) else [n // 2 for n in lost]


class FusedConvolution(nn.Module):
    """A convolution and the activation behind it.

    Parameters
    ----------
    convolution : nn.Conv2d or nn.Conv3d
        float32, on the CPU; its weights are copied into oneDNN's layout.
    activation : Activation or None
        None where there is none behind it.
    """

    def __init__(self, convolution: Any, activation: Activation | None) -> None:
        super().__init__()
        self._geometry = (
            _padding(convolution),
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )
        # not a parameter: PyTorch's copies and moves do not know such a layout
        self._weight: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            convolution.weight.detach(), *self._geometry, None
        )
        bias = convolution.bias
        self._bias: Tensor | None = None if bias is None else bias.detach().clone()
        self._name = "none" if activation is None else _NAMES[activation.kind]
        leaky = activation is not None and activation.kind == "leaky_relu"
        self._numbers = [activation.number] if leaky and activation is not None else []
        self._is_rectified = activation is not None and activation.kind == "relu"

    def forward(self, x: Tensor) -> Tensor:
        """Compute it; what comes out is channels-last."""
        made: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._geometry, self._name, self._numbers, ""
        )
        return torch.relu_(made) if self._is_rectified else made
