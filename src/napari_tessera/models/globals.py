"""Global variables that a person's own function uses, as far as they decide its result."""

from __future__ import annotations

import dis
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor

_INSTALLED = ("site-packages", "dist-packages")


def used_globals(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Names and values of global variables that a function reads, in the order of names.

    Left out are modules, classes and containers, which hold all kinds of things that change while
    a program runs, variables that the function sets itself, as a cache, and all of what functions
    of installed packages use.
    """
    code = getattr(function, "__code__", None)
    known = getattr(function, "__globals__", None)
    if not isinstance(code, CodeType) or not isinstance(known, dict) or _is_installed(code):
        return []
    return [(name, known[name]) for name in _read(code) if name in known and _counts(known[name])]


def _read(code: CodeType) -> list[str]:
    loaded, stored = set(), set()
    for part in _parts(code):
        for step in dis.get_instructions(part):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                loaded.add(str(step.argval))
            elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                stored.add(str(step.argval))
    return sorted(loaded - stored)


def _parts(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)


def _counts(value: object) -> bool:
    if isinstance(value, type | ModuleType):
        return False
    plain = (bool, int, float, complex, str, bytes, Path, Tensor, np.ndarray, np.generic)
    return isinstance(value, plain) or callable(value)


def _is_installed(code: CodeType) -> bool:
    file = Path(code.co_filename)
    return any(part in _INSTALLED for part in file.parts) or file.is_relative_to(
        sysconfig.get_path("stdlib")
    )
