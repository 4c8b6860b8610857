"""A network laid open as a graph of its operations, where its Python code allows that."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import fx, nn

_DROPPED = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
"""What gives its input as it is, in evaluation mode."""


def traced(network: nn.Module) -> fx.GraphModule | None:
    """Lay a network open, and leave out what does nothing in prediction.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; it is copied, so that it stays as it is, its modules and weights too.

    Returns
    -------
    torch.fx.GraphModule or None
        None where its code cannot be followed: where it decides by values or sizes, say.
    """
    if isinstance(network, torch.jit.ScriptModule):
        return None
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            module = copy.deepcopy(network)
            graph = fx.Tracer().trace(module)
            opened = fx.GraphModule(module, graph)
    except Exception:
        # any exception: somebody's code was run with what stands for a tensor
        return None
    if sum(node.op == "placeholder" for node in graph.nodes) != 1:
        return None
    for node in list(opened.graph.nodes):
        inner = plain_module(opened, node)
        if type(inner) in _DROPPED and not getattr(inner, "training", True):
            node.replace_all_uses_with(node.args[0])
            opened.graph.erase_node(node)
    opened.recompile()
    return opened


def plain_module(opened: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module that a node of a graph calls with one tensor; None where there is none such.

    Modules with hooks, or with weights that are computed anew for each call, are none: what they
    do is not told by their kind.
    """
    if node.op != "call_module" or len(node.args) != 1 or node.kwargs:
        return None
    module = opened.get_submodule(str(node.target))
    hooks: list[Any] = [
        module._forward_hooks,
        module._forward_pre_hooks,
        getattr(module, "parametrizations", None),
    ]
    return None if any(hooks) else module


def only_user(node: fx.Node) -> fx.Node | None:
    """The one node that takes what another gives; None where several do, or one twice."""
    users = list(node.users)
    if len(users) != 1 or users[0].all_input_nodes.count(node) != 1:
        return None
    return users[0]


def put_module(opened: fx.GraphModule, node: fx.Node, module: nn.Module) -> None:
    """Have a node call a module of its own, so that other users of the old one keep that."""
    name = f"prepared_{node.name}"
    opened.add_module(name, module)
    node.target = name
