"""The program of a ``.pt2`` file, written anew from what was understood of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from napari_tessera.models.exported.arguments import (
    Json,
    argument,
    boolean,
    field,
    integer,
    label,
    listed,
    name,
    sym_bool,
    sym_float,
    sym_int,
    tensor,
    tensor_meta,
)
from napari_tessera.models.exported.expressions import SYMBOL
from napari_tessera.models.exported.operators import SUBGRAPHS, check_operator
from napari_tessera.models.exported.refusal import RefusedProgramError

_DEEPEST = 16
"""Graphs within graphs."""

_LEAF: Json = {"type": None, "context": None, "children_spec": []}
_ONE_ARGUMENT = {
    "type": "builtins.tuple",
    "context": "null",
    "children_spec": [
        {"type": "builtins.tuple", "context": "null", "children_spec": [_LEAF]},
        {"type": "builtins.dict", "context": "[]", "children_spec": []},
    ],
}
"""How the program is called: one tensor in, one tensor out, whatever its author called them."""

_ONE_IMAGE = "Export a network that takes one image and returns one"
_EVALUATE = "Export it in evaluation mode: torch.export.export(net.eval(), (example,))"

_TRAINING = {
    "aten.batch_norm": "training",
    "aten._native_batch_norm_legit": "training",
    "aten._native_batch_norm_legit_functional": "training",
    "aten.native_batch_norm": "training",
    "aten.dropout": "train",
    "aten.feature_dropout": "train",
    "aten.alpha_dropout": "train",
    "aten.feature_alpha_dropout": "train",
    "aten.native_dropout": "train",
}
"""Argument by which an operation is told that the network is being trained."""


@dataclass(frozen=True)
class Program:
    """A program that was written anew.

    Parameters
    ----------
    content : bytes
        JSON, as ``torch.export.load`` reads it.
    image : dict
        The description of its one input tensor.
    ranges : dict
        Smallest and largest value of each symbol; None where there is no limit.
    guards : list of str
        Conditions on the input's size, as the file has them: text of a stranger.
    """

    content: bytes
    image: dict[str, Json]
    ranges: dict[str, tuple[int | None, int | None]]
    guards: list[str]


def rewrite_program(content: bytes) -> Program:
    """Write a program anew.

    Raises
    ------
    RefusedProgramError
        If it holds what is not run, is not one image in and one out, or is damaged.
    """
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        raise RefusedProgramError("its list of operations is damaged") from None
    module = field(given, "graph_module")
    graph = _graph(field(module, "graph"), 0)
    signature, image = _signature(field(module, "signature"))
    ranges = _ranges(given.get("range_constraints") or {})
    written = {
        "graph_module": {
            "graph": graph,
            "signature": signature,
            "module_call_graph": [{"fqn": "", "signature": _calling(image)}],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "opset_version": {"aten": integer(field(field(given, "opset_version"), "aten"))},
        "range_constraints": {
            key: {"min_val": least, "max_val": most} for key, (least, most) in ranges.items()
        },
        "schema_version": {
            key: integer(field(field(given, "schema_version"), key)) for key in ("major", "minor")
        },
        "verifiers": _verifiers(given.get("verifiers")),
        "torch_version": "",
        "guards_code": [],
    }
    if image not in graph["tensor_values"]:
        raise RefusedProgramError("its list of operations is damaged (its input is missing)")
    guards = given.get("guards_code") or []
    return Program(
        json.dumps(written).encode(),
        graph["tensor_values"][image],
        ranges,
        [str(guard) for guard in guards] if isinstance(guards, list) else [str(guards)],
    )


def _graph(value: Json, depth: int) -> dict[str, Json]:
    if depth > _DEEPEST:
        raise RefusedProgramError(f"its graphs are nested more than {_DEEPEST} deep")
    if value.get("custom_obj_values") if isinstance(value, dict) else False:
        raise RefusedProgramError("it holds objects of a custom class")
    return {
        "inputs": listed(argument)(field(value, "inputs")),
        "outputs": listed(argument)(field(value, "outputs")),
        "nodes": [_node(node, depth) for node in listed(_as_is)(field(value, "nodes"))],
        "tensor_values": _named(value, "tensor_values", tensor_meta),
        "sym_int_values": _named(value, "sym_int_values", sym_int),
        "sym_bool_values": _named(value, "sym_bool_values", sym_bool),
        "sym_float_values": _named(value, "sym_float_values", sym_float),
        "is_single_tensor_return": boolean(value.get("is_single_tensor_return", False)),
        "custom_obj_values": {},
    }


def _node(value: Json, depth: int) -> dict[str, Json]:
    target = check_operator(field(value, "target"))
    has_graphs = target in SUBGRAPHS
    inner = (lambda graph: _graph(graph, depth + 1)) if has_graphs else None
    inputs = []
    for given in listed(_as_is)(field(value, "inputs")):
        # arguments of these have no names, which would go into Python code
        called = "" if has_graphs else given.get("name", "")
        kind = given.get("kind")
        inputs.append(
            {
                "name": name(called) if called and not _is_plain(called) else called,
                "arg": argument(field(given, "arg"), inner),
                "kind": None if kind is None else integer(kind),
            }
        )
    _check_evaluating(target, inputs)
    single = value.get("is_hop_single_tensor_return")
    own = value.get("name")
    return {
        "target": target,
        "inputs": inputs,
        "outputs": listed(argument)(field(value, "outputs")),
        "metadata": {},
        "is_hop_single_tensor_return": None if single is None else boolean(single),
        "name": None if own is None else name(own),
    }


def _is_plain(called: Json) -> bool:
    """Whether a name is one of those that operations give their arguments, ``self`` for one."""
    return called in ("self", "device", "input", "a", "b", "from")


def _check_evaluating(target: str, inputs: list[dict[str, Json]]) -> None:
    told = _TRAINING.get(target.removeprefix("torch.ops.").rpartition(".")[0])
    if told and any(i["name"] == told and i["arg"].get("as_bool") is True for i in inputs):
        raise RefusedProgramError("it was exported while training", _EVALUATE)
    if target == "_operator.pow":
        exponent = next(iter(inputs[-1]["arg"].values()), None) if inputs else None
        if isinstance(exponent, dict):
            exponent = next(iter(exponent.values()), None)
        if not isinstance(exponent, int | float) or abs(exponent) > 16:
            raise RefusedProgramError("it takes high powers of sizes")


def _signature(value: Json) -> tuple[dict[str, Json], str]:
    """The signature, and the name of the one input."""
    inputs, images = [], []
    for spec in listed(_as_is)(field(value, "input_specs")):
        match spec:
            case {"parameter": given}:
                named: Json = {"parameter_name": label(field(given, "parameter_name"))}
                inputs.append({"parameter": {"arg": tensor(field(given, "arg")), **named}})
            case {"buffer": given}:
                named = {"buffer_name": label(field(given, "buffer_name"))}
                named["persistent"] = boolean(field(given, "persistent"))
                inputs.append({"buffer": {"arg": tensor(field(given, "arg")), **named}})
            case {"tensor_constant": given}:
                named = {"tensor_constant_name": label(field(given, "tensor_constant_name"))}
                inputs.append({"tensor_constant": {"arg": tensor(field(given, "arg")), **named}})
            case {"user_input": {"arg": {"as_tensor": given}}}:
                images.append(tensor(given)["name"])
                inputs.append({"user_input": {"arg": {"as_tensor": tensor(given)}}})
            case {"user_input": _} | {"constant_input": _}:
                raise RefusedProgramError("it takes more than one image", _ONE_IMAGE)
            case {"custom_obj": _}:
                raise RefusedProgramError("it holds objects of a custom class")
            case _:
                raise RefusedProgramError("it needs more than weights and an image")
    outputs = listed(_as_is)(field(value, "output_specs"))
    if any(isinstance(spec, dict) and "user_output" not in spec for spec in outputs):
        raise RefusedProgramError("it changes its weights when it runs", _EVALUATE)
    match outputs:
        case [{"user_output": {"arg": {"as_tensor": given}}}] if len(images) == 1:
            written = {"user_output": {"arg": {"as_tensor": tensor(given)}}}
            return {"input_specs": inputs, "output_specs": [written]}, images[0]
    raise RefusedProgramError(
        f"it takes {_count(len(images))} and returns {_count(len(outputs))}", _ONE_IMAGE
    )


def _count(images: int) -> str:
    return "1 image" if images == 1 else f"{images} images"


def _calling(image: str) -> dict[str, Json]:
    return {
        "inputs": [],
        "outputs": [],
        "in_spec": json.dumps([1, _ONE_ARGUMENT]),
        "out_spec": json.dumps([1, _LEAF]),
        "forward_arg_names": [image],
    }


def _ranges(value: Json) -> dict[str, tuple[int | None, int | None]]:
    """Ranges of plain symbols; those of expressions follow from them."""
    if not isinstance(value, dict):
        raise RefusedProgramError("its list of sizes is damaged")
    ranges = {}
    for key, given in value.items():
        if SYMBOL.fullmatch(key):
            least, most = (
                None if (limit := field(given, bound)) is None else integer(limit)
                for bound in ("min_val", "max_val")
            )
            ranges[key] = (least, most)
    return ranges


def _verifiers(value: Json) -> list[str]:
    if isinstance(value, list) and all(one in ("TRAINING", "ATEN") for one in value):
        return value or ["TRAINING"]
    raise RefusedProgramError("it was made for another runtime (ExecuTorch?)")


def _named(value: Json, key: str, item: Any) -> dict[str, Json]:
    given = value.get(key) or {}
    if not isinstance(given, dict):
        raise RefusedProgramError("its list of operations is damaged")
    return {name(each): item(content) for each, content in given.items()}


def _as_is(value: Json) -> Json:
    if not isinstance(value, dict):
        raise RefusedProgramError("its list of operations is damaged")
    return value
