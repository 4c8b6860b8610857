"""Values of a TorchScript program that are known before it runs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

UNKNOWN = object()
"""What is only known when the program runs."""

_MOST_POWER = 64
_LARGEST = 2**31
_DEEPEST = 100
"""Steps from a value back to what it is made of: what goes further back is unknown."""


class KnownValues:
    """Reads constants, attributes that nothing changes, and arithmetic on these.

    Parameters
    ----------
    module : torch.jit.ScriptModule
        In the mode in which it will run.
    graph : torch.Graph
        Its forward method with all calls written out.
    changed : set of str
        Names of attributes that the program sets: of these nothing is known.
    """

    def __init__(
        self, module: torch.jit.ScriptModule, graph: torch._C.Graph, changed: set[str]
    ) -> None:
        self._module = module._c
        self._own = next(iter(graph.inputs())).debugName()
        self._changed = changed
        self._known: dict[str, Any] = {}
        self._depth = 0

    def of(self, value: torch._C.Value) -> Any:
        """The value, or `UNKNOWN`. Lists, which a program can change, are unknown."""
        # Each value is worked out once: n = n + n, forty times over, asks for the first 2⁴⁰ times.
        name = value.debugName()
        if name not in self._known:
            if self._depth >= _DEEPEST:
                return UNKNOWN
            self._depth += 1
            try:
                self._known[name] = self._found(value)
            finally:
                self._depth -= 1
        return self._known[name]

    def _found(self, value: torch._C.Value) -> Any:
        node = value.node()
        kind = node.kind()
        if value.debugName() == self._own:
            return self._module
        if kind == "prim::Constant":
            found = value.toIValue()
            return UNKNOWN if isinstance(found, list) else found
        if kind == "prim::GetAttr":
            return self._attribute(node)
        if kind in ("prim::unchecked_cast", "aten::_unwrap_optional"):
            return self.of(node.inputsAt(0))
        if kind == "prim::If":
            return self._branch(node, value)
        if kind in ("prim::TupleIndex", "aten::__not__", *_ARITHMETIC):
            return self._computed(kind, [self.of(given) for given in node.inputs()])
        return UNKNOWN

    def _attribute(self, node: torch._C.Node) -> Any:
        owner = self.of(node.inputsAt(0))
        name = node.s("name")
        if owner is UNKNOWN or name in self._changed or not hasattr(owner, "getattr"):
            return UNKNOWN
        found = owner.getattr(name)
        return UNKNOWN if isinstance(found, list | dict) else found

    def _branch(self, node: torch._C.Node, value: torch._C.Value) -> Any:
        taken = self.of(node.inputsAt(0))
        if type(taken) is not bool:
            return UNKNOWN
        given = list(node.blocks())[0 if taken else 1].outputs()
        names = [output.debugName() for output in node.outputs()]
        return self.of(list(given)[names.index(value.debugName())])

    def _computed(self, kind: str, given: list[Any]) -> Any:
        match given:
            case [bool() as truth] if kind == "aten::__not__":
                return not truth
            case [tuple() as items, int() as at] if kind == "prim::TupleIndex":
                return items[at] if -len(items) <= at < len(items) else UNKNOWN
            case [int() as first, int() as second] if kind in _ARITHMETIC:
                if kind == "aten::pow" and not 0 <= second <= _MOST_POWER:
                    return UNKNOWN
                if max(abs(first), abs(second)) > _LARGEST:
                    return UNKNOWN
                result = _ARITHMETIC[kind](first, second)
                return result if abs(result) <= _LARGEST else UNKNOWN
        return UNKNOWN


_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "aten::add": operator.add,
    "aten::sub": operator.sub,
    "aten::mul": operator.mul,
    "aten::pow": operator.pow,
}
