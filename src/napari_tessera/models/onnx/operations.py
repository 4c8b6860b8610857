"""The operations that an ONNX model may use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from napari_tessera.models.errors import shown

STANDARD = frozenset({"", "ai.onnx"})
"""Names of the standard's main domain, whose operations all only compute.

The standard's others (``ai.onnx.ml`` with trees and text, ``ai.onnx.preview.training``) have
nothing that a network from image to image needs.
"""

_FUSED = """
    FusedConv NhwcFusedConv NhwcConv FusedGemm FusedMatMul TransposeMatMul Gelu FastGelu QuickGelu
    BiasGelu BiasSoftmax BiasAdd BiasSplitGelu SkipLayerNormalization SimplifiedLayerNormalization
    SkipSimplifiedLayerNormalization GroupNorm SkipGroupNorm Attention MultiHeadAttention
    NhwcMaxPool ConvTransposeWithDynamicPads
    QLinearAdd QLinearMul QLinearConcat QLinearSigmoid QLinearLeakyRelu QLinearSoftmax QLinearWhere
    QLinearAveragePool QLinearGlobalAveragePool QLinearReduceMean QLinearConv QGemm QAttention
    QuantizeLinear DequantizeLinear DynamicQuantizeMatMul MatMulIntegerToFloat MatMulNBits
"""

MICROSOFT = "com.microsoft"
"""Domain of ONNX Runtime's own operations. Some of them load compiled programs from files
(``EPContext``) or call out, so that only those below are allowed."""

FUSED = frozenset(_FUSED.split())
"""Operations that ONNX Runtime's optimizer and quantizer write into models."""

_EXPORT_PLAIN = "Export it with standard operations only (torch.onnx.export)"
_BEFORE_OPTIMIZING = "Save the model as it was exported, before ONNX Runtime optimized it"

_DEEPEST = 32
"""Graphs within graphs, and functions that call functions."""

MOST_NODES = 200_000
"""Operations after each call of a function is replaced by its body: large networks have 10,000."""


class RefusedGraphError(ValueError):
    """What an ONNX model carries that is not run: why, and the way out."""

    def __init__(self, why: str, way_out: str = _EXPORT_PLAIN) -> None:
        super().__init__(why)
        self.way_out = way_out


def check_operations(model: onnx.ModelProto) -> None:
    """Refuse a model that needs operations other than the allowed ones.

    Functions that the model defines itself out of allowed operations are no matter: ONNX Runtime
    writes their bodies in the place of their calls.

    Raises
    ------
    RefusedGraphError
        Naming the operation.
    """
    own = set()
    for function in model.functions:
        if function.domain in STANDARD or function.domain.startswith(("ai.onnx", "com.m")):
            raise RefusedGraphError(
                f"it defines the operation {_named(function.domain, function.name)} anew"
            )
        own.add((function.domain, function.name))
    for node in nodes_of(model):
        domain, kind = node.domain, node.op_type
        if domain in STANDARD or (domain, kind) in own:
            continue
        if domain == MICROSOFT and kind in FUSED:
            continue
        if domain in ("com.microsoft.nchwc", "com.ms.internal.nhwc"):
            raise RefusedGraphError(
                f"it was optimized for one machine ({_named(domain, kind)})", _BEFORE_OPTIMIZING
            )
        raise RefusedGraphError(f"it needs the custom operation {_named(domain, kind)}")


def check_extent(model: onnx.ModelProto) -> None:
    """Refuse functions that call themselves, or that grow to more nodes than any network has.

    ONNX Runtime writes the body of a function in the place of each call: a file of two kilobytes
    whose functions call one another twice each, 24 deep, would keep it busy for hours.

    Raises
    ------
    RefusedGraphError
        Saying which.
    """
    bodies: dict[tuple[str, str], list[onnx.NodeProto]] = {}
    for function in model.functions:
        # overloads together: no real file has so many that their sum is too much
        bodies.setdefault((function.domain, function.name), []).extend(function.node)
    counts: dict[tuple[str, str], int] = {}
    under_way: set[tuple[str, str]] = set()

    def count(nodes: Iterable[onnx.NodeProto], depth: int) -> int:
        if depth > _DEEPEST:
            raise RefusedGraphError(f"its functions call one another more than {_DEEPEST} deep")
        total = 0
        for node in _nodes(nodes, 0):
            key = (node.domain, node.op_type)
            total += of_function(key, depth) if key in bodies else 1
            if total > MOST_NODES:
                raise RefusedGraphError(
                    f"its functions grow to more than {MOST_NODES:,} operations"
                )
        return total

    def of_function(key: tuple[str, str], depth: int) -> int:
        if key in under_way:
            raise RefusedGraphError(f"its function {_named(*key)} calls itself")
        if key not in counts:
            under_way.add(key)
            counts[key] = count(bodies[key], depth + 1)
            under_way.discard(key)
        return counts[key]

    count(model.graph.node, 0)
    for key in bodies:
        of_function(key, 0)


def nodes_of(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of inner graphs (``If``, ``Loop``, ``Scan``) and of functions included."""
    yield from _nodes(model.graph.node, 0)
    for function in model.functions:
        yield from _nodes(function.node, 0)
        # graphs that stand in for an argument which a call leaves out
        for graph in _defaults(function):
            yield from _nodes(graph.node, 1)


def _defaults(function: onnx.FunctionProto) -> Iterator[onnx.GraphProto]:
    for attribute in function.attribute_proto:
        yield from _graphs(attribute)


def _nodes(nodes: Iterable[onnx.NodeProto], depth: int) -> Iterator[onnx.NodeProto]:
    if depth > _DEEPEST:
        raise RefusedGraphError(f"its graphs are nested more than {_DEEPEST} deep")
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in _graphs(attribute):
                yield from _nodes(graph.node, depth + 1)


def _graphs(attribute: onnx.AttributeProto) -> Iterator[onnx.GraphProto]:
    # asked for by presence and not by the stated type, which a file may state wrongly
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def graphs_of(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The main graph and all inner ones, those in defaults of functions included."""
    yield model.graph
    for function in model.functions:
        yield from _defaults(function)
    for node in nodes_of(model):
        for attribute in node.attribute:
            yield from _graphs(attribute)


def _named(domain: str, kind: str) -> str:
    return shown(f"{domain}.{kind}" if domain else kind, 80)
