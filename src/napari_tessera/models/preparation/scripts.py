"""TorchScript programs, frozen."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn

from napari_tessera.models.preparation.layout import lay_out

_WARM_UPS = 3
"""PyTorch watches the first two runs of a program and rewrites it: until then its kernels, and so
its last digits, may be others."""


def holds_script(network: nn.Module) -> bool:
    """Whether a module is a TorchScript program, or wraps one."""
    return any(isinstance(inner, torch.jit.ScriptModule) for inner in network.modules())


def frozen(network: nn.Module) -> nn.Module:
    """Give a copy of a module whose TorchScript programs are frozen, with kernels channels-last.

    Weights become constants, and batch norms part of the convolutions before them.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; it stays as it is.

    Raises
    ------
    RuntimeError
        If PyTorch cannot freeze it.
    """
    with warnings.catch_warnings(), torch.no_grad():
        # what PyTorch says of TorchScript's age is for those who write it
        warnings.simplefilter("ignore")
        copied = copy.deepcopy(network)
        lay_out(copied)
        return _frozen(copied)


def warm_up(network: nn.Module, batch: Tensor) -> None:
    """Run a program until PyTorch has made of it what it will stay."""
    for _ in range(_WARM_UPS):
        network(batch.clone())


def _frozen(module: nn.Module) -> nn.Module:
    if isinstance(module, torch.jit.ScriptModule):
        # one that was saved frozen has no mode, and nothing left to freeze
        return torch.jit.freeze(module.eval()) if hasattr(module, "training") else module
    for name, inner in list(module.named_children()):
        if holds_script(inner):
            module.add_module(name, _frozen(inner))
    return module
