"""Names, numbers, tensors' descriptions and arguments of a torch.export program, written anew."""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Callable
from typing import Any

from napari_tessera.models.exported.expressions import rewritten
from napari_tessera.models.exported.refusal import RefusedProgramError

Json = Any
"""What ``json.loads`` gives."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,199}|_[A-Za-z0-9][A-Za-z0-9_]{0,199}")
_WORDS = re.compile(r"[A-Za-z0-9_ ,.>\-]{0,300}")

_TAKEN = frozenset({"self", "torch", "inf", "nan", "device", "fx_pytree", "pytree", "NoneType"})
"""Names that the Python code that PyTorch writes for a program has a use for."""

_STRIDED = 7

_LONGEST = 4000
"""Characters of a weight's name."""


def name(value: Json) -> str:
    """Name of a value in a graph: PyTorch writes it into Python code."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _not("a name", value)
    if keyword.iskeyword(value) or value in _TAKEN:
        raise _not("a name", value)
    return value


def label(value: Json) -> str:
    """Another name for a weight, ``encoder.0.weight``, in the place of its own.

    PyTorch makes attributes of modules of these names, and writes them into Python code.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise _not("a weight's name", value)
    return f"weight_{hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()}"


def integer(value: Json) -> int:
    """A whole number of 64 bits."""
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _not("a whole number", value)
    return value


def boolean(value: Json) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise _not("true or false", value)
    return value


def number(value: Json) -> float | str:
    """A number; JSON has no infinity, which is written as text."""
    if value in ("Infinity", "-Infinity", "NaN"):
        return str(value)
    if type(value) not in (int, float):
        raise _not("a number", value)
    try:
        return float(value)
    except OverflowError:
        raise _not("a number", value) from None


def listed(item: Callable[[Json], Json]) -> Callable[[Json], list[Json]]:
    """A list of something."""

    def written(value: Json) -> list[Json]:
        if not isinstance(value, list):
            raise _not("a list", value)
        return [item(each) for each in value]

    return written


def field(value: Json, key: str) -> Json:
    """One entry of an object."""
    if not isinstance(value, dict) or key not in value:
        raise RefusedProgramError(f"its list of operations is damaged ({key} is missing)")
    return value[key]


def union(value: Json, **kinds: Callable[[Json], Json]) -> dict[str, Json]:
    """An object with one entry, whose key says what it is."""
    if not isinstance(value, dict) or len(value) != 1:
        raise RefusedProgramError("its list of operations is damaged")
    ((kind, content),) = value.items()
    if kind not in kinds:
        raise RefusedProgramError(
            f"it holds {str(kind)[:40].removeprefix('as_').replace('_', ' ')!r}, "
            "which a network of plain layers does not have"
        )
    return {kind: kinds[kind](content)}


def sym_int(value: Json) -> dict[str, Json]:
    """A size: a number or an expression, and what it was in the example."""
    return union(value, as_int=integer, as_expr=_expression)


def sym_bool(value: Json) -> dict[str, Json]:
    """True or false, or an expression."""
    return union(value, as_bool=boolean, as_expr=_expression)


def sym_float(value: Json) -> dict[str, Json]:
    """A number or an expression."""
    return union(value, as_float=number, as_expr=_expression)


def tensor_meta(value: Json) -> dict[str, Json]:
    """What is known of a tensor before it is there. Whatever its device was, it is the CPU here."""
    if field(value, "layout") != _STRIDED:
        raise RefusedProgramError("it holds sparse tensors", "Export a network of dense tensors")
    return {
        "dtype": integer(field(value, "dtype")),
        "sizes": listed(sym_int)(field(value, "sizes")),
        "requires_grad": False,
        "device": cpu(field(value, "device")),
        "strides": listed(sym_int)(field(value, "strides")),
        "storage_offset": sym_int(field(value, "storage_offset")),
        "layout": _STRIDED,
    }


def tensor(value: Json) -> dict[str, Json]:
    """A tensor by its name."""
    return {"name": name(field(value, "name"))}


def cpu(value: Json) -> dict[str, Json]:
    """The CPU, in the place of the device that a program was exported on."""
    return {"type": "cpu", "index": None}


def argument(value: Json, graph: Callable[[Json], Json] | None = None) -> dict[str, Json]:
    """An argument of an operation.

    Parameters
    ----------
    value : object
        As it stands in the file.
    graph : callable, optional
        Writes a graph anew, where the operation may have one as an argument.

    Raises
    ------
    RefusedProgramError
        If it is an operation, an object of a custom class, or damaged.
    """
    kinds = dict(_ARGUMENTS)
    if graph is not None:
        kinds["as_graph"] = lambda inner: {
            "name": name(field(inner, "name")),
            "graph": graph(field(inner, "graph")),
        }
    return union(value, **kinds)


def _expression(value: Json) -> dict[str, Json]:
    hint = value.get("hint") if isinstance(value, dict) else None
    if hint is not None:
        hint = union(hint, as_int=integer, as_bool=boolean, as_float=number)
    return {"expr_str": rewritten(field(value, "expr_str")), "hint": hint}


def _words(value: Json) -> str:
    """A word that an operation takes: ``reflect``, or an equation of einsum."""
    if not isinstance(value, str) or not _WORDS.fullmatch(value):
        raise _not("a setting", value)
    return value


def _none(value: Json) -> bool:
    return True


def _complex(value: Json) -> dict[str, Json]:
    return {part: number(field(value, part)) for part in ("real", "imag")}


def _optional(value: Json) -> dict[str, Json]:
    return union(value, as_tensor=tensor, as_none=_none)


def _named_or(**kinds: Callable[[Json], Json]) -> Callable[[Json], dict[str, Json]]:
    return lambda value: union(value, as_name=name, **kinds)


_SYM_INT = _named_or(as_int=integer)
_SYM_FLOAT = _named_or(as_float=number)
_SYM_BOOL = _named_or(as_bool=boolean)

_ARGUMENTS: dict[str, Callable[[Json], Json]] = {
    "as_none": _none,
    "as_tensor": tensor,
    "as_tensors": listed(tensor),
    "as_int": integer,
    "as_ints": listed(integer),
    "as_float": number,
    "as_floats": listed(number),
    "as_string": _words,
    "as_strings": listed(_words),
    "as_sym_int": _SYM_INT,
    "as_sym_ints": listed(_SYM_INT),
    "as_scalar_type": integer,
    "as_memory_format": integer,
    "as_layout": integer,
    "as_device": cpu,
    "as_bool": boolean,
    "as_bools": listed(boolean),
    "as_sym_bool": _SYM_BOOL,
    "as_sym_bools": listed(_SYM_BOOL),
    "as_optional_tensors": listed(_optional),
    "as_optional_tensor": _optional,
    "as_sym_float": _SYM_FLOAT,
    "as_sym_floats": listed(_SYM_FLOAT),
    "as_complex": _complex,
    "as_nested_tensors": listed(listed(tensor)),
    "as_int_lists": listed(listed(integer)),
    "as_float_lists": listed(listed(number)),
}


def _not(what: str, value: Json) -> RefusedProgramError:
    return RefusedProgramError(f"where {what} should stand it has {str(value)[:60]!r}")
