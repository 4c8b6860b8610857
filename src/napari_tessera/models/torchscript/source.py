"""Reading the code that a TorchScript file carries, without running it.

``torch.jit.load`` runs code of the file before anyone calls the model: ``__setstate__``, the
default values of parameters, and constants of classes. So the code is checked as text first, and
held to what PyTorch's own printer writes: a small part of Python in plain ASCII, in which both
PyTorch's parser and Python's see the same words.
"""

from __future__ import annotations

import ast
import re

from napari_tessera.models.aten import ATEN
from napari_tessera.models.syntax import parsed_module
from napari_tessera.models.torchscript.operations import PRIM

_TOKEN = re.compile(
    r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?j?|\.[0-9]+([eE][+-]?[0-9]+)?j?)
    |(?P<string>"([^"\\\n]|\\[^\n])*"|'([^'\\\n]|\\[^\n])*')
    |(?P<sign>->|[-+*/%@&|^~<>=!]=?|[()\[\]{},:.])
    |(?P<space>[ \n]+)""",
    re.VERBOSE,
)

_DEEPEST = 100
"""Brackets within brackets: both parsers recurse, and PyTorch's has no limit of its own."""

_FORBIDDEN = frozenset({"__setstate__", "__getstate__", "from_file", "save"})

_DUNDERS = frozenset(
    {
        "__torch__",
        "__parameters__",
        "__buffers__",
        "__annotations__",
        "__new__",
        "__init__",
        "__len__",
        "__contains__",
        "__getitem__",
        "__call__",
        "__iter__",
    }
    | {name for name in ATEN if name.startswith("__") and name.endswith("__")}
)

_BASES = frozenset({"Module", "NamedTuple", "Enum"})


class RefusedCodeError(ValueError):
    """What a TorchScript file carries that is not run."""


def check_code(code: bytes) -> None:
    """Refuse code that could do more than compute, or that would run while it is loaded.

    Parameters
    ----------
    code : bytes
        One file of an archive's ``code/`` folder.

    Raises
    ------
    RefusedCodeError
        Naming what was found, in half a sentence.
    """
    try:
        text = code.decode("ascii")
    except UnicodeDecodeError:
        raise RefusedCodeError("its code is not plain ASCII") from None
    words = _words(text)
    _check_names(words)
    try:
        tree = parsed_module(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise RefusedCodeError("its code is not what PyTorch writes") from None
    _check_statements(tree)


def _words(text: str) -> list[str]:
    """Split code into words, leaving out space.

    Strings keep their quotes. What PyTorch never writes is refused: comments, line continuations,
    prefixed, triple-quoted or adjacent strings, tabs, anything beyond ASCII.
    """
    words: list[str] = []
    depth = position = 0
    before = last = ""
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise RefusedCodeError(
                f"its code has the character {text[position]!r}, which PyTorch does not write there"
            )
        kind, word = str(found.lastgroup), found.group()
        if kind == "string" and ("string" in (before, last) or before in ("name", "number")):
            raise RefusedCodeError("its code has strings as PyTorch does not write them")
        if kind == "name" and before in ("string", "number"):
            raise RefusedCodeError("its code is not what PyTorch writes")
        if word in "([{":
            depth += 1
        elif word in ")]}":
            depth -= 1
        if depth > _DEEPEST:
            raise RefusedCodeError(f"its code nests more than {_DEEPEST} brackets")
        if kind != "space":
            words.append(word)
            last = kind
        before = kind
        position = found.end()
    return words


def _check_names(words: list[str]) -> None:
    """Refuse forbidden names, and ``torch`` and ``ops`` other than in a call of what is allowed."""
    padded = ["", "", *words, "", "", "", ""]
    for at in range(2, len(padded) - 4):
        word, previous = padded[at], padded[at - 1]
        after = padded[at + 1 : at + 5]
        _check_name(word)
        if word == "classes" and padded[at - 2 : at] == ["torch", "."]:
            raise RefusedCodeError("it needs a custom class (torch.classes)")
        if previous == "." or after[0] == ":":
            continue
        if word == "torch" and not (after[0] == "." and after[1] in ATEN and after[2] == "("):
            raise RefusedCodeError(f"it uses the operation torch.{_operation(after)}")
        if word == "ops" and not (after[:3:2] == [".", "."] and after[1] == "prim"):
            raise RefusedCodeError(f"it needs the custom operation {'.'.join(after[1:4:2])}")
        if word == "ops" and not (after[3] in PRIM and padded[at + 5] == "("):
            raise RefusedCodeError(f"it uses the operation prim.{after[3]}")


def _check_name(name: str) -> None:
    if name in _FORBIDDEN:
        raise RefusedCodeError(f"its code has {name}, which could run code or write files")
    if name.startswith("__") and name.endswith("__") and name not in _DUNDERS:
        raise RefusedCodeError(f"its code has {name}")


def _operation(after: list[str]) -> str:
    return after[1] if after[0] == "." else "(all of it)"


def _check_statements(tree: ast.Module) -> None:
    for statement in tree.body:
        match statement:
            case ast.ClassDef(decorator_list=[], keywords=[]):
                _check_class(statement)
            case ast.FunctionDef(decorator_list=[]):
                pass
            case ast.Assign(targets=[ast.Name(id="op_version_set")], value=ast.Constant()):
                pass
            case _:
                raise RefusedCodeError("its code has statements that run while it is loaded")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            _check_signature(node.args)
        if isinstance(node, ast.FunctionDef):
            _check_type(node.returns)
            if node.decorator_list:
                raise RefusedCodeError("its code has decorators")
        if isinstance(node, ast.Call):
            _check_lookup(node)


def _check_lookup(call: ast.Call) -> None:
    """Refuse ``getattr`` of names that are forbidden or not written out."""
    match call:
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name))]):
            if not re.fullmatch("[A-Za-z0-9_]+", name):
                raise RefusedCodeError("its code looks up names that are not written out")
            _check_name(name)
        case ast.Call(func=ast.Name(id="getattr")):
            raise RefusedCodeError("its code looks up names that are not written out")


def _check_class(definition: ast.ClassDef) -> None:
    for base in definition.bases:
        if not (isinstance(base, ast.Name) and base.id in _BASES):
            raise RefusedCodeError(f"its code has a class of kind {ast.unparse(base)}")
    for statement in definition.body:
        match statement:
            case ast.FunctionDef() | ast.Pass():
                pass
            case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
                _check_type(annotation)
                if value is not None:
                    _check_value(value)
            case ast.Assign(targets=[ast.Subscript()], value=value):
                _check_type(statement.targets[0])
                _check_type(value)
            case ast.Assign(targets=[ast.Name()], value=value):
                _check_value(value)
            case _:
                raise RefusedCodeError("its classes hold more than attributes and methods")


def _check_signature(arguments: ast.arguments) -> None:
    for value in (*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)):
        _check_value(value)
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        _check_type(argument.annotation)


def _check_value(value: ast.expr) -> None:
    """Refuse a default or constant that is more than a literal: it is computed during loading."""
    match value:
        case ast.Constant() | ast.Name(id="inf" | "nan"):
            return None
        case ast.Attribute(value=ast.Name(id="CONSTANTS")):
            return None
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _check_value(operand)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            for item in items:
                _check_value(item)
            return None
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="torch"), attr="device"), args=[ast.Constant()]
        ):
            return None
        case ast.Call(func=ast.Name(id="annotate"), args=[kind, item], keywords=[]):
            _check_type(kind)
            return _check_value(item)
    raise RefusedCodeError(f"loading it would run {ast.unparse(value)[:60]}")


def _check_type(annotation: ast.expr | None) -> None:
    if annotation is not None and any(isinstance(n, ast.Call) for n in ast.walk(annotation)):
        raise RefusedCodeError(f"loading it would run {ast.unparse(annotation)[:60]}")
