"""How long a TorchScript program is once every call stands for what it calls.

PyTorch writes the bodies of methods in the place of their calls: forty methods that each call the
one before twice make a trillion operations of a file of a few kilobytes. And its optimizer follows
an operation's inputs by recursion, which ends the process where thousands depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from napari_tessera.models.errors import message_line
from napari_tessera.models.torchscript.source import RefusedCodeError

MOST_OPERATIONS = 1_000_000
"""Operations of a whole program: large networks have some ten thousand."""

LONGEST = 5_000
"""Operations that each need the one before: PyTorch 2.13 fails at 12,000, with 8 MiB of stack."""

_DEEPEST = 200
"""Methods that each call the next."""


def check_calls(unit: torch._C.CompilationUnit, start: str) -> None:
    """Refuse a program that grows beyond measure when its calls are written out.

    Parameters
    ----------
    unit : CompilationUnit
        All methods and functions of the file.
    start : str
        Full name of the method that is run.

    Raises
    ------
    RefusedCodeError
        Saying how many operations there would be, or that a method calls itself.
    """
    _Lengths(unit).of(start, 0)


class _Lengths:
    """Numbers of operations of methods, each counted once."""

    def __init__(self, unit: torch._C.CompilationUnit) -> None:
        self._unit = unit
        self._known: dict[str, int | None] = {}

    def of(self, name: str, depth: int) -> int:
        if name in self._known:
            length = self._known[name]
            if length is None:
                raise RefusedCodeError("its methods call themselves")
            return length
        if depth > _DEEPEST:
            raise RefusedCodeError(f"its methods are nested more than {_DEEPEST} deep")
        self._known[name] = None
        function = self._unit.find_function(name)
        if function is None:
            raise RefusedCodeError("it calls what the file does not hold")
        length = 0
        for node in nodes_of(function.graph):
            length += 1
            called = _called(node)
            if called is not None:
                length += self.of(called, depth + 1)
            if length > MOST_OPERATIONS:
                raise RefusedCodeError(
                    f"with its calls written out it has more than {MOST_OPERATIONS:,} operations"
                )
        self._known[name] = length
        return length


def _called(node: torch._C.Node) -> str | None:
    """Full name of the method or function that a node calls."""
    if node.kind() == "prim::CallMethod":
        kind = node.inputsAt(0).type()
        if not isinstance(kind, torch._C.ClassType):
            raise RefusedCodeError("it calls what the file does not hold")
        return f"{kind.qualified_name()}.{node.s('name')}"
    if node.kind() == "prim::CallFunction":
        return str(node.inputsAt(0).type())
    return None


def check_chain(module: torch.jit.ScriptModule) -> None:
    """Refuse a program in which thousands of operations each need the one before.

    Raises
    ------
    RefusedCodeError
        Saying so, or that the program cannot be laid open.
    """
    _follow(laid_open(module), {}, 0)


def laid_open(module: torch.jit.ScriptModule) -> torch._C.Graph:
    """The graph of a program's forward method, with all calls written out.

    Raises
    ------
    RefusedCodeError
        If PyTorch cannot write them out.
    """
    try:
        return module.inlined_graph
    except Exception as error:
        # any exception: what a damaged program raises is not specified
        raise RefusedCodeError(
            f"its program cannot be laid open ({message_line(error)})"
        ) from error


def _follow(block: torch._C.Graph | torch._C.Block, depths: dict[int, int], least: int) -> int:
    deepest = least
    for node in block.nodes():
        depth = 1 + max((depths.get(one.unique(), least) for one in node.inputs()), default=least)
        for inner in node.blocks():
            depth = max(depth, _follow(inner, depths, depth))
        if depth > LONGEST:
            raise RefusedCodeError(
                f"it has more than {LONGEST:,} operations in a row, more than PyTorch can prepare"
            )
        for one in node.outputs():
            depths[one.unique()] = depth
        deepest = max(deepest, depth)
    return deepest


def nodes_of(block: torch._C.Graph | torch._C.Block) -> Iterator[torch._C.Node]:
    """All nodes, those of inner blocks included."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes_of(inner)
