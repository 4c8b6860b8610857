"""A network laid open as a graph of its operations, where its Python code allows that."""

from __future__ import annotations

import copy
import warnings
from collections import OrderedDict
from functools import partial
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
    if _Recorder.is_whole(network) or any(_does_more(inner) for inner in network.modules()):
        return None
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            module = copy.deepcopy(network)
            graph = _Recorder(module).recorded()
            opened = fx.GraphModule(module, graph)
    except Exception:
        # any exception: somebody's code was run with what stands for a tensor
        return None
    for node in list(opened.graph.nodes):
        inner = plain_module(opened, node)
        if type(inner) in _DROPPED and not getattr(inner, "training", True):
            node.replace_all_uses_with(node.args[0])
            opened.graph.erase_node(node)
    opened.recompile()
    return opened


def _does_more(module: nn.Module) -> bool:
    """Whether a call of a module that is followed does more than its class's ``forward``."""
    if isinstance(module, torch.jit.ScriptModule):
        return True
    if _Recorder.is_whole(module):
        return False
    hooks = module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__
    return bool(hooks) or type(module).__call__ is not nn.Module.__call__


class _Recorder(fx.Tracer):
    """Follows a module's code without a change to PyTorch itself.

    ``fx.Tracer.trace`` replaces methods of ``nn.Module``, and functions in other modules' globals,
    for all threads while it runs. Here what is called is replaced in the module that is followed:
    a copy that nobody else has.

    Parameters
    ----------
    module : nn.Module
        The copy. PyTorch's own layers in it are recorded as calls, all others are followed.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.root = module
        self.graph = fx.Graph()
        # where constants that the code meets are found in the module
        self.tensor_attrs = {
            value: f"{path}.{name}" if path else name
            for path, inner in module.named_modules()
            for name, value in vars(inner).items()
            if isinstance(value, torch.Tensor)
        }

    @staticmethod
    def is_whole(module: nn.Module) -> bool:
        """Whether it is one of PyTorch's layers, which are not looked into."""
        own = type(module).__module__.startswith(("torch.nn.", "torch.ao.nn."))
        return own and not isinstance(module, nn.Sequential)

    def recorded(self) -> fx.Graph:
        """Follow the code once."""
        layers = [
            (path, inner) for path, inner in self.root.named_modules() if self.is_whole(inner)
        ]
        kept = [(inner, dict(vars(inner))) for _, inner in layers]
        for path, inner in layers:
            # hooks of a layer run when it is called, not when that is recorded
            vars(inner).update(
                forward=partial(self._record, path),
                _forward_hooks=OrderedDict(),
                _forward_pre_hooks=OrderedDict(),
            )
        try:
            given = self.create_proxy("placeholder", "x", (), {})
            made = self.root(given)
        finally:
            for inner, before in kept:
                vars(inner).clear()
                vars(inner).update(before)
        self.create_node("output", "output", (self.create_arg(made),), {})
        return self.graph

    def _record(self, path: str, *given: Any, **named: Any) -> fx.Proxy:
        return self.create_proxy("call_module", path, given, named)


def plain_module(opened: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module that a node of a graph calls with one tensor; None where there is none such.

    Modules with hooks or a ``forward`` of their own, or with weights that are computed anew for
    each call, are none: what they do is not told by their kind.
    """
    if node.op != "call_module" or len(node.args) != 1 or node.kwargs:
        return None
    module = opened.get_submodule(str(node.target))
    hooks: list[Any] = [
        module._forward_hooks,
        module._forward_pre_hooks,
        getattr(module, "parametrizations", None),
        # one that was put in the place of its class's
        "forward" in module.__dict__,
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
