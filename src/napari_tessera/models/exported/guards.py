"""Conditions on an input's size that torch.export writes down: read as text, never run.

``ExportedProgram.module`` puts them into Python code and executes that. Here each is parsed, and
worked out by what was understood of it: ``L['x'].size()[2] == 4*(L['x'].size()[2] // 4)``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.syntax import parsed_expression

Sizes = NDArray[np.int64]
"""Sizes along one axis: many that are tried at once."""

_LONGEST = 4000
_GREATEST = 2**31

_BINARY: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
}

_COMPARED: dict[type[ast.cmpop], Callable[..., Any]] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}

_CHOICES: dict[str, Callable[..., Any]] = {
    "max": np.maximum,
    "min": np.minimum,
    # since PyTorch 2.15
    "torch.sym_max": np.maximum,
    "torch.sym_min": np.minimum,
}


class UnknownGuardError(ValueError):
    """A condition that is not understood."""


def read_guard(text: str) -> ast.expr:
    """Parse a condition.

    Raises
    ------
    UnknownGuardError
        If it is no expression.
    """
    if len(text) > _LONGEST:
        raise UnknownGuardError
    try:
        return parsed_expression(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UnknownGuardError from None


def holds(guard: ast.expr, shape: Sequence[int | Sizes]) -> NDArray[np.bool_]:
    """Whether a condition holds for inputs of these shapes.

    Parameters
    ----------
    guard : ast.expr
        From `read_guard`.
    shape : sequence of int or array
        NC(Z)YX; an array of sizes along those axes where several are tried.

    Raises
    ------
    UnknownGuardError
        If the condition has anything but whole numbers, the input's sizes, and arithmetic.
    """
    try:
        with np.errstate(all="ignore"):
            return np.asarray(_value(guard, shape), bool)
    except (RecursionError, TypeError):
        # a true or false in the place of a number is a TypeError
        raise UnknownGuardError from None


def _value(tree: ast.expr, shape: Sequence[int | Sizes]) -> Any:
    match tree:
        case ast.Constant(value=int(number)) if abs(number) < _GREATEST:
            return np.int64(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, shape)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_value(operand, shape))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, shape), _value(right, shape))
        case ast.BoolOp(op=op, values=values):
            both = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return reduce(both, [_value(each, shape) for each in values])
        case ast.Compare(left=left, ops=ops, comparators=others):
            numbers = [_value(each, shape) for each in (left, *others)]
            pairs = zip(ops, numbers, numbers[1:], strict=False)
            if all(type(op) in _COMPARED for op in ops):
                return reduce(np.logical_and, [_COMPARED[type(op)](a, b) for op, a, b in pairs])
        case ast.Call(func=func, args=[_, *_] as each, keywords=[]) if (
            ast.unparse(func) in _CHOICES
        ):
            return reduce(_CHOICES[ast.unparse(func)], [_value(one, shape) for one in each])
        case ast.Subscript(
            value=ast.Call(func=ast.Attribute(value=source, attr="size"), args=[], keywords=[]),
            slice=ast.Constant(value=int(axis)),
        ) if _is_input(source) and 0 <= axis < len(shape):
            return np.asarray(shape[axis], np.int64)
    raise UnknownGuardError


def _is_input(tree: ast.expr) -> bool:
    """Whether this is ``L['x']`` or ``L['flat_args'][0]``: the program has one tensor only."""
    while isinstance(tree, ast.Subscript) and isinstance(tree.slice, ast.Constant):
        tree = tree.value
    return isinstance(tree, ast.Name) and tree.id == "L"
