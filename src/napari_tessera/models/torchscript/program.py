"""Checking a compiled TorchScript program: its operations, and arguments that kernels trust.

Most of PyTorch's operations refuse arguments that do not fit. Some trust a few of theirs, and end
the process, or read beyond their memory, where these are wrong. So these arguments must be known
before the program runs, and fit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

from napari_tessera.models.aten import DIVISIONS, RANDOM
from napari_tessera.models.torchscript.extent import laid_open
from napari_tessera.models.torchscript.operations import KINDS
from napari_tessera.models.torchscript.source import RefusedCodeError
from napari_tessera.models.torchscript.values import UNKNOWN, KnownValues

_TYPES = frozenset({*range(12), 15})
"""Numbers of PyTorch's types of numbers, those of quantized ones left out."""

_ALLOWED = {"ScalarType": _TYPES, "Layout": frozenset({0}), "MemoryFormat": frozenset(range(4))}

_GIVES_TYPE = frozenset({"prim::dtype", "prim::layout", "aten::result_type", "aten::promote_types"})

_OPTIONAL_TO = "aten::to.prim_"
"""Conversions to a type and a device that may both be None; whether to copy stands last."""

_RESHAPES = frozenset(
    f"aten::{name}_"
    for name in ("t", "transpose", "squeeze", "unsqueeze", "swapaxes", "swapdims", "moveaxis")
)
"""Operations that change a tensor's shape in its place."""


def check_program(module: torch.jit.ScriptModule) -> None:
    """Refuse a compiled program that could do more than compute.

    Raises
    ------
    RefusedCodeError
        Naming the operation that is not on the list, or whose arguments do not fit.
    """
    graph = laid_open(module)
    nodes = []
    for node in _nodes(graph):
        if node.kind() not in KINDS:
            raise RefusedCodeError(f"it uses the operation {node.kind()}")
        nodes.append(node)
    changed = {node.s("name") for node in nodes if node.kind() == "prim::SetAttr"}
    known = KnownValues(module, graph, changed)
    kinds = {node.kind() for node in nodes}
    for node in nodes:
        if node.kind().startswith("aten::"):
            _check_arguments(node, known)
        if node.kind() == "aten::_weight_norm":
            _check_weight_norm(node, known, bool(kinds & _RESHAPES))


def _nodes(block: torch._C.Graph | torch._C.Block) -> Iterator[torch._C.Node]:
    """All nodes, those of inner blocks and graphs included."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)
        for name in node.attributeNames():
            if node.kindOf(name) == "g":
                yield from _nodes(node.g(name))
            elif node.kindOf(name) == "gs":
                raise RefusedCodeError("it uses the operation prim::Subgraphs")


@functools.lru_cache(maxsize=2048)
def _schema(text: str) -> tuple[tuple[str, str, bool], ...]:
    """Name and type of each argument, and whether a result is written there."""
    schema = torch._C.parse_schema(text)
    return tuple((one.name, str(one.real_type), one.is_out) for one in schema.arguments)


def _check_arguments(node: torch._C.Node, known: KnownValues) -> None:
    kind = node.kind()
    arguments = _schema(node.schema())
    for number, (name, of_type, is_out) in enumerate(arguments[: node.inputsSize()]):
        given = node.inputsAt(number)
        if is_out:
            raise RefusedCodeError(f"it writes a result of {kind} to a place of its own")
        allowed = _ALLOWED.get(of_type.removeprefix("Optional[").removesuffix("]"))
        if allowed is not None and given.node().kind() not in _GIVES_TYPE:
            value = known.of(given)
            if value is not None and (type(value) is not int or value not in allowed):
                raise RefusedCodeError(f"it uses {kind} with a {name} that there is not")
    copies = node.inputsAt(len(arguments) - 1) if node.schema().startswith(_OPTIONAL_TO) else None
    if copies is not None and known.of(copies) is not False:
        # it reads the type to convert to even where there is none
        raise RefusedCodeError(f"it copies with {kind} and no type")
    if _draws(node, arguments, known):
        raise RefusedCodeError(f"it draws random numbers when it runs ({kind})")
    if kind in DIVISIONS and arguments[0][1] != "Tensor":
        value = known.of(node.inputsAt(1))
        # the processor stops the process at a division by 0, and at one of -2**63 by -1
        if not isinstance(value, int | float) or value in (0, -1):
            raise RefusedCodeError(
                f"it divides ({kind}) by a number that is 0, or not known before"
            )


def _draws(
    node: torch._C.Node, arguments: tuple[tuple[str, str, bool], ...], known: KnownValues
) -> bool:
    """Whether an operation draws random numbers, as far as is known."""
    given = {one[0]: node.inputsAt(number) for number, one in enumerate(arguments)}
    if node.kind() in RANDOM:
        share = known.of(given["p"]) if "p" in given else UNKNOWN
        trains = known.of(given["train" if "train" in given else "training"])
        return share != 0 and trains is not False
    return "dropout_p" in given and known.of(given["dropout_p"]) not in (0, UNKNOWN)


def _check_weight_norm(node: torch._C.Node, known: KnownValues, reshapes: bool) -> None:
    direction, length, axis = (known.of(node.inputsAt(number)) for number in range(3))
    if isinstance(direction, Tensor) and isinstance(length, Tensor) and type(axis) is int:
        expected = [1] * direction.dim()
        if -1 <= axis < direction.dim():
            if axis >= 0:
                expected[axis] = direction.shape[axis]
            if not reshapes and (list(length.shape) == expected or axis == -1):
                return
    raise RefusedCodeError("it uses aten::_weight_norm on sizes that do not fit")
