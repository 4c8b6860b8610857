"""Activations: which function a node of a graph is, and where it may work in place."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from napari_tessera.models.preparation.folding import CONVOLUTIONS, TRANSPOSED
from napari_tessera.models.preparation.tracing import only_user, plain_module

_FRESH_MODULES = (*CONVOLUTIONS, *TRANSPOSED, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_FRESH_FUNCTIONS = (
    torch.cat,
    torch.concat,
    functional.conv2d,
    functional.conv3d,
    functional.conv_transpose2d,
    functional.conv_transpose3d,
    functional.batch_norm,
)
"""What makes a tensor that nobody else has: not a view, not one that was there before."""


@dataclass(frozen=True)
class Activation:
    """An elementwise function behind a layer.

    Parameters
    ----------
    kind : str
        ``"relu"``, ``"leaky_relu"``, ``"silu"`` or ``"elu"``.
    number : float
        Slope of a leaky ReLU, alpha of an ELU.
    """

    kind: str
    number: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """Compute it in the place of its input."""
        if self.kind == "relu":
            return torch.relu_(x)
        if self.kind == "leaky_relu":
            return functional.leaky_relu(x, self.number, inplace=True)
        if self.kind == "elu":
            return functional.elu(x, self.number, inplace=True)
        return functional.silu(x, inplace=True)


def activation_of(opened: fx.GraphModule, node: fx.Node) -> Activation | None:
    """The activation that a node computes; None where it is none of those known here."""
    module = plain_module(opened, node)
    if type(module) is nn.ReLU:
        return Activation("relu")
    if type(module) is nn.LeakyReLU and isinstance(module, nn.LeakyReLU):
        return Activation("leaky_relu", float(module.negative_slope))
    if type(module) is nn.SiLU:
        return Activation("silu")
    if type(module) is nn.ELU and isinstance(module, nn.ELU):
        return Activation("elu", float(module.alpha))
    if node.op == "call_method" and node.target in ("relu", "relu_"):
        return Activation("relu")
    if node.op != "call_function" or not node.args:
        return None
    return _of_function(node.target, node.args[1:], dict(node.kwargs))


def _of_function(function: Any, rest: tuple[Any, ...], named: dict[str, Any]) -> Activation | None:
    named.pop("inplace", None)
    if function in (torch.relu, torch.relu_) and not rest and not named:
        return Activation("relu")
    if function in (functional.relu, functional.silu) and not named:
        return Activation("relu" if function is functional.relu else "silu")
    numbers: dict[Callable[..., Any], tuple[str, str, float]] = {
        functional.leaky_relu: ("leaky_relu", "negative_slope", 0.01),
        functional.elu: ("elu", "alpha", 1.0),
    }
    if function not in numbers:
        return None
    kind, name, default = numbers[function]
    number = rest[0] if rest else named.pop(name, default)
    return Activation(kind, float(number)) if isinstance(number, int | float) else None


def is_fresh(opened: fx.GraphModule, node: fx.Node) -> bool:
    """Whether what a node gives is a tensor that it made itself."""
    if node.op == "call_module":
        return type(plain_module(opened, node)) in _FRESH_MODULES
    if node.op != "call_function":
        return False
    if node.target in _FRESH_FUNCTIONS:
        return True
    # of two tensors: a sum with a number is fresh too, but only a graph tells tensors by nodes
    both = [argument for argument in node.args if isinstance(argument, fx.Node)]
    return node.target in (operator.add, torch.add) and len(both) == len(node.args) == 2


def work_in_place(opened: fx.GraphModule) -> int:
    """Have activations write over what they are given where nobody else uses that, in place.

    Returns
    -------
    int
        How many there are.
    """
    found = 0
    for node in list(opened.graph.nodes):
        activation = activation_of(opened, node)
        if activation is None or not isinstance(node.args[0], fx.Node):
            continue
        given = node.args[0]
        has_other_users = only_user(given) is None
        if has_other_users or not is_fresh(opened, given):
            continue
        name = f"prepared_{node.name}"
        opened.add_module(name, _InPlace(activation))
        with opened.graph.inserting_after(node):
            put = opened.graph.call_module(name, (given,))
        node.replace_all_uses_with(put)
        opened.graph.erase_node(node)
        found += 1
    opened.recompile()
    return found


class _InPlace(nn.Module):
    """An activation as a module, so that a graph can hold it."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Compute it in the place of its input."""
        return self._activation(x)
