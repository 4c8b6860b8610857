"""Batch norms that are no more than a gain and an offset, made part of the convolution before."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, fx, nn

from napari_tessera.models.preparation.tracing import only_user, plain_module, put_module

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

Convolution = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
)
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def fold_batch_norms(opened: fx.GraphModule) -> int:
    """Fold each batch norm that alone takes what a convolution gives, in place.

    A batch norm before a convolution stays: where the convolution pads, it is no gain and offset
    of what comes out. So does one that uses the statistics of its input.

    Returns
    -------
    int
        How many were folded.
    """
    folded = 0
    for node in list(opened.graph.nodes):
        convolution = plain_module(opened, node)
        if not isinstance(convolution, (*CONVOLUTIONS, *TRANSPOSED)):
            continue
        if type(convolution) not in (*CONVOLUTIONS, *TRANSPOSED):
            continue
        after = only_user(node)
        norm = None if after is None else plain_module(opened, after)
        if after is None or type(norm) not in _NORMS or not isinstance(norm, _NORMS):
            continue
        if norm.training or norm.running_mean is None or norm.running_var is None:
            continue
        put_module(opened, node, folded_convolution(convolution, norm))
        after.replace_all_uses_with(node)
        opened.graph.erase_node(after)
        folded += 1
    opened.recompile()
    return folded


def folded_convolution(convolution: Convolution, norm: Norm) -> Convolution:
    """Give the convolution that does what a convolution and the batch norm after it do.

    With y = (x − mean) / √(var + eps) · gain + offset, kernels are multiplied by
    gain / √(var + eps) and the bias becomes (bias − mean) · gain / √(var + eps) + offset. Both are
    computed in float64 and rounded once.

    Parameters
    ----------
    convolution, norm : nn.Module
        In evaluation mode; the norm has running statistics. Both stay as they are.
    """
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a batch norm without running statistics cannot be folded")
    gain = (variance.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        gain = gain * norm.weight.detach().double()
    bias = -mean.double() * gain
    if convolution.bias is not None:
        bias = bias + convolution.bias.detach().double() * gain
    if norm.bias is not None:
        bias = bias + norm.bias.detach().double()
    weight = convolution.weight.detach()
    folded = copy.deepcopy(convolution)
    folded.weight = nn.Parameter(
        (weight.double() * _along_kernels(gain, convolution)).to(weight.dtype), requires_grad=False
    )
    folded.bias = nn.Parameter(bias.to(weight.dtype), requires_grad=False)
    return folded


def _along_kernels(gain: Tensor, convolution: Convolution) -> Tensor:
    """Gains of the channels that come out, in a shape that multiplies the kernels."""
    spatial = (1,) * (convolution.weight.ndim - 2)
    if not isinstance(convolution, TRANSPOSED):
        return gain.reshape(-1, 1, *spatial)
    # kernels (in, out / groups): those of a group stand together along the first axis
    groups = convolution.groups
    by_group = gain.reshape(groups, 1, -1)
    repeated = by_group.expand(-1, convolution.weight.shape[0] // groups, -1)
    return torch.flatten(repeated, 0, 1).reshape(convolution.weight.shape[0], -1, *spatial)
