"""Values as JSON knows them, so that whatever describes a training can be saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MOST_ITEMS = 4096
"""Entries of a list (a loss curve, say); of longer ones evenly chosen entries are kept."""

_DEEPEST = 12
_LONGEST = 2000


def plain_json(value: Any, depth: int = 0) -> Any:
    """A value that JSON takes: numbers that are not finite become null, strange objects text.

    Parameters
    ----------
    value : any
        Mappings, sequences, numbers (NumPy's too), text, None; or anything else.
    depth : int
        How deep it lies in others.
    """
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _DEEPEST:
        return _text(str(value))
    if isinstance(value, Mapping):
        return {_text(str(key)): plain_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_json(item, depth + 1) for item in _thinned(list(value))]
    # NumPy's and PyTorch's numbers and arrays
    listed = getattr(value, "tolist", None)
    return plain_json(listed(), depth + 1) if callable(listed) else _text(str(value))


def _text(value: str) -> str:
    """Text as UTF-8 has it: names of files may hold bytes that stand for no letter."""
    return value[:_LONGEST].encode("utf-8", "replace").decode()


def _thinned(items: list[Any]) -> list[Any]:
    if len(items) <= MOST_ITEMS:
        return items
    last = len(items) - 1
    return [items[round(i * last / (MOST_ITEMS - 1))] for i in range(MOST_ITEMS)]
