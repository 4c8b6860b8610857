"""SHA-256 of models, so that a run is only ever continued with the model that began it."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_tessera.models.globals import used_globals


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_module(module: nn.Module) -> str:
    """SHA-256 of a module: its classes and their code, its structure, its weights and buffers."""
    digest = hashlib.sha256()
    _add_module(digest, module)
    return digest.hexdigest()


def hash_callable(function: Callable[..., Any]) -> str:
    """SHA-256 of a function: its name and code, and the values that it carries.

    Values are default arguments, what it closes over, arguments bound by ``functools.partial``, and
    an instance's attributes: numbers, text, arrays, modules and other functions, and containers of
    them; and global variables that the code reads (see `used_globals`). Of anything else only the
    type counts.
    """
    digest = hashlib.sha256()
    _add_value(digest, function, 0, set())
    return digest.hexdigest()


def _add_module(digest: hashlib._Hash, module: nn.Module) -> None:
    for name, part in module.named_modules():
        kind = type(part)
        digest.update(
            f"{name}|{kind.__module__}.{kind.__qualname__}|{part.extra_repr()}\n".encode()
        )
        if isinstance(part, torch.jit.ScriptModule):
            if hasattr(part, "forward"):
                digest.update(str(part.code).encode())
        elif not kind.__module__.startswith("torch."):
            _add_own_code(digest, kind)
            own = {key: value for key, value in vars(part).items() if not key.startswith("_")}
            _add_value(digest, own, 0, set())
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        digest.update(name.encode())
        _add_tensor(digest, tensor)


def _add_own_code(digest: hashlib._Hash, kind: type) -> None:
    """Add the functions of a class and of its bases, less those of torch and Python."""
    for base in kind.__mro__:
        if base is object or base.__module__.startswith("torch."):
            continue
        for name, function in sorted(vars(base).items()):
            code = getattr(function, "__code__", None)
            if isinstance(code, CodeType):
                digest.update(name.encode())
                _add_code(digest, code)


def _add_tensor(digest: hashlib._Hash, tensor: Tensor) -> None:
    plain = tensor.detach().cpu().contiguous()
    digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
    digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())


def _add_code(digest: hashlib._Hash, code: CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_code(digest, constant)
        elif not isinstance(constant, frozenset):
            digest.update(repr(constant).encode())


def _add_value(digest: hashlib._Hash, value: object, depth: int, seen: set[int]) -> None:
    """Add a value; containers and functions within one another up to a depth that ends cycles.

    Code whose global variables were ``seen`` before is not followed again.
    """
    digest.update(f"{type(value).__module__}.{type(value).__qualname__}:".encode())
    if depth > 6:
        return
    below = depth + 1
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes() | Path():
            digest.update(repr(value).encode())
        case nn.Module():
            _add_module(digest, value)
        case Tensor():
            _add_tensor(digest, value)
        case np.ndarray():
            digest.update(f"{value.dtype}{value.shape}".encode())
            if not value.dtype.hasobject:
                digest.update(np.ascontiguousarray(value).tobytes())
        case np.generic():
            digest.update(repr(value.item()).encode())
        case list() | tuple():
            for item in value:
                _add_value(digest, item, below, seen)
        case Mapping():
            for key, item in value.items():
                _add_value(digest, key, below, seen)
                _add_value(digest, item, below, seen)
        case functools.partial():
            for item in (value.func, value.args, value.keywords):
                _add_value(digest, item, below, seen)
        case _ if callable(value):
            _add_function(digest, value, below, seen)


def _add_function(
    digest: hashlib._Hash, function: Callable[..., Any], depth: int, seen: set[int]
) -> None:
    if inspect.ismethod(function):
        _add_value(digest, function.__self__, depth, seen)
        function = function.__func__
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", "")
    digest.update(f"{getattr(function, '__module__', '')}.{name}".encode())
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        _add_code(digest, code)
        _add_value(digest, getattr(function, "__defaults__", None), depth, seen)
        _add_value(digest, getattr(function, "__kwdefaults__", None), depth, seen)
        closure = getattr(function, "__closure__", None) or ()
        for cell in closure:
            try:
                _add_value(digest, cell.cell_contents, depth, seen)
            except ValueError:
                # a cell that was never filled
                continue
        _add_globals(digest, function, depth, seen)
    elif not inspect.isbuiltin(function) and not inspect.isclass(function):
        call = inspect.getattr_static(type(function), "__call__")
        code = getattr(call, "__code__", None)
        if isinstance(code, CodeType):
            _add_code(digest, code)
            _add_globals(digest, call, depth, seen)
        _add_value(digest, getattr(function, "__dict__", None), depth, seen)


def _add_globals(
    digest: hashlib._Hash, function: Callable[..., Any], depth: int, seen: set[int]
) -> None:
    code = id(getattr(function, "__code__", None))
    if code in seen:
        return
    seen.add(code)
    for name, value in used_globals(function):
        digest.update(name.encode())
        _add_value(digest, value, depth, seen)
