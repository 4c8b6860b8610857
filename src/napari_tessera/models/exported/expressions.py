"""Expressions over sizes, as torch.export writes them: read, never evaluated by others.

``torch.export.load`` hands them to ``sympy.sympify``, which runs them as Python. So each is parsed
here, every word of it is compared with a list, and what goes on is printed from what was
understood.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from napari_tessera.models.exported.refusal import RefusedProgramError
from napari_tessera.models.syntax import parsed_expression

SYMBOL = re.compile(r"(s|u|zf|zuf)[0-9]{1,9}")
"""What PyTorch calls sizes (``s77``) and numbers that are known only when running (``u0``)."""

_FUNCTIONS = frozenset(
    {"Add", "Mul", "Pow", "Max", "Min", "Mod", "floor", "ceiling", "Abs", "Rational"}
    | {"Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan"}
    | {"Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not"}
    | {"FloorDiv", "ModularIndexing", "Where", "PythonMod", "CleanDiv", "CeilToInt", "FloorToInt"}
    | {"CeilDiv", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat"}
    | {"TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat", "Identity"}
    | {"IsNonOverlappingAndDenseIndicator"}
)
"""What an expression may call: arithmetic of SymPy and of PyTorch's additions to it."""

_POWERS = frozenset({"Pow", "PowByNatural", "FloatPow"})
_COMPARING = frozenset({"Max", "Min"})

_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}

_LONGEST = 4000
"""Characters of an expression."""

_GREATEST = 2**63
_HIGHEST_POWER = 16
_MOST_POWERS = 3
"""So that no expression makes a number of millions of digits."""

_DEEPEST = 100
"""Expressions within expressions: what prints them recurses."""

_MOST_SYMBOLS = 8
"""Of an expression: an image has five sizes."""

_MOST_COMPARED = 16
"""Arguments of all ``Max`` and ``Min`` of an expression: SymPy compares each with each."""

_MOST_TERMS = 1000
"""Terms of an expression once its products are multiplied out, which PyTorch asks of SymPy."""

_MOST_BITS = 256
"""Precision of a number with a fraction: PyTorch writes 53."""


def rewritten(text: object) -> str:
    """Parse an expression and print it again.

    Parameters
    ----------
    text : object
        ``"Mul(Integer(4), Symbol('s39', positive=True, integer=True))"`` or ``"4*s39"``.

    Raises
    ------
    RefusedProgramError
        If it has anything but numbers, symbols and the functions of the list.
    """
    return ast.unparse(parsed(text))


def parsed(text: object) -> ast.expr:
    """Parse an expression; what comes back holds nothing that was not looked at."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise RefusedProgramError("one of its expressions is no short text")
    try:
        tree = parsed_expression(text)
        if _depth(tree) > _DEEPEST:
            raise _unknown(text)
        _check(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, RefusedProgramError):
            raise
        raise _unknown(text) from None
    if sum(_calls(node, _POWERS) for node in ast.walk(tree)) > _MOST_POWERS:
        raise RefusedProgramError("one of its expressions has many powers")
    compared = sum(len(node.args) for node in ast.walk(tree) if _calls(node, _COMPARING))
    if (
        len(symbols(tree)) > _MOST_SYMBOLS
        or compared > _MOST_COMPARED
        or _terms(tree) > _MOST_TERMS
    ):
        raise RefusedProgramError(f"one of its sizes, {text[:60]!r}, takes too long to work out")
    return tree


def _depth(tree: ast.expr) -> int:
    """Levels of an expression, counted without recursion."""
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [inner for node in level for inner in ast.iter_child_nodes(node)]  # type: ignore[misc]
    return depth


def _terms(tree: ast.expr) -> int:
    """How many terms an expression has once its products are multiplied out, at most.

    Those within a call that is no sum or product count for themselves: the most of all is given.
    """
    match tree:
        case ast.UnaryOp(operand=operand):
            return _terms(operand)
        case ast.BinOp(left=left, op=op, right=right):
            parts, sign = [_terms(left), _terms(right)], _SIGNS[type(op)]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            parts, sign = [_terms(each) for each in arguments], name
            if name in _POWERS:
                return int(min(float(parts[0]) ** _exponent(arguments), 2.0 * _MOST_TERMS))
        case _:
            return 1
    if sign in ("+", "-", "Add"):
        return sum(parts)
    if sign in ("*", "Mul"):
        return min(math.prod(parts), 2 * _MOST_TERMS)
    return max(parts, default=1)


def symbols(tree: ast.expr) -> frozenset[str]:
    """Names of the symbols in an expression."""
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    quoted = {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant)
    }
    return frozenset(name for name in named | quoted if SYMBOL.fullmatch(name))


def value(tree: ast.expr, at: Mapping[str, int]) -> int | None:
    """Work out a whole number; None for an expression beyond sums, products and quotients."""
    match tree:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return at.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = value(operand, at)
            return None if inner is None else -inner
        case ast.BinOp(left=left, op=op, right=right):
            return _joined(_SIGNS[type(op)], [value(left, at), value(right, at)])
        case ast.Call(func=ast.Name(id="Integer"), args=[number]):
            return value(number, at)
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))]):
            return at.get(name)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            signs = {"Add": "+", "Mul": "*", "FloorDiv": "//", "Mod": "%", "PythonMod": "%"}
            return _joined(signs.get(name, name), [value(each, at) for each in arguments])
    return None


def _joined(sign: str, numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or not known:
        return None
    result = known[0]
    for number in known[1:]:
        match sign:
            case "+":
                result += number
            case "-":
                result -= number
            case "*":
                result *= number
            case "Max":
                result = max(result, number)
            case "Min":
                result = min(result, number)
            case "//" | "%" if number:
                result = result // number if sign == "//" else result % number
            case _:
                return None
    return result


def _check(tree: ast.expr) -> None:
    match tree:
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=int(number)) if abs(number) < _GREATEST:
            return
        case ast.Constant(value=float()):
            return
        case ast.Name(id=name) if SYMBOL.fullmatch(name) or name in ("true", "false"):
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _check(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SIGNS:
            _check(left)
            return _check(right)
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))]):
            if SYMBOL.fullmatch(name) and all(_is_assumption(word) for word in tree.keywords):
                return
        case ast.Call(func=ast.Name(id="Integer"), args=[number], keywords=[]):
            if _is_number(number, int):
                return _check(number)
        case ast.Call(func=ast.Name(id="Float"), args=[ast.Constant(value=str(number))]):
            if re.fullmatch(r"-?[0-9.]{1,40}(e[-+]?[0-9]{1,3})?", number) and all(
                word.arg == "precision" and _is_precision(word.value) for word in tree.keywords
            ):
                return
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as arguments, keywords=[]):
            if name in _FUNCTIONS and (name not in _POWERS or _is_low(arguments)):
                for argument in arguments:
                    _check(argument)
                return
    raise _unknown(ast.unparse(tree))


def _is_assumption(word: ast.keyword) -> bool:
    known = ("integer", "positive", "nonnegative", "real", "finite")
    return word.arg in known and _is_number(word.value, bool)


def _is_number(tree: ast.expr, kind: type) -> bool:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        tree = tree.operand
    return isinstance(tree, ast.Constant) and type(tree.value) is kind


def _is_precision(tree: ast.expr) -> bool:
    number = tree.value if isinstance(tree, ast.Constant) else None
    return type(number) is int and 0 < number <= _MOST_BITS


def _is_low(arguments: list[ast.expr]) -> bool:
    return len(arguments) == 2 and _exponent(arguments) <= _HIGHEST_POWER


def _exponent(arguments: list[ast.expr]) -> float:
    """Size of a power's exponent; infinite where it is no number."""
    exponent = arguments[1]
    if isinstance(exponent, ast.Call) and exponent.args:
        exponent = exponent.args[0]
    if isinstance(exponent, ast.UnaryOp):
        exponent = exponent.operand
    number: Any = exponent.value if isinstance(exponent, ast.Constant) else None
    return abs(number) if isinstance(number, int | float) else math.inf


def _calls(node: ast.AST, names: frozenset[str]) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) in names


def _unknown(text: str) -> RefusedProgramError:
    return RefusedProgramError(
        f"one of its sizes is {text[:60]!r}, which is no expression of sizes"
    )
