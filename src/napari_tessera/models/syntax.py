"""Syntax trees of code in model files, from any thread."""

from __future__ import annotations

import ast
from threading import Lock
from typing import Any

_LOCK = Lock()
_TRIES = 5


def parsed_module(text: str) -> ast.Module:
    """Tree of statements that are never run; raises as `ast.parse`."""
    module: ast.Module = _parsed(text, "exec")
    return module


def parsed_expression(text: str) -> ast.expr:
    """Tree of an expression that is never computed; raises as `ast.parse`."""
    expression: ast.Expression = _parsed(text, "eval")
    return expression.body


def _parsed(text: str, mode: str) -> Any:
    # Until Python 3.13 all threads count their depth in one number (python/cpython#106905): a tree
    # that another thread begins meanwhile fails both.
    for left in reversed(range(_TRIES)):
        try:
            with _LOCK:
                return ast.parse(text, mode=mode)
        except SystemError:
            # for one of another library
            if not left:
                raise
    raise AssertionError
