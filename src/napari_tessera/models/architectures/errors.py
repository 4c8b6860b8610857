"""The error of settings or weights that no network goes with."""

from __future__ import annotations


class ArchitectureError(ValueError):
    """Settings or weights that no network can be built from; half a sentence says why."""


def shown(value: object) -> str:
    """Write a value that a stranger chose, short and in one line, whatever it is.

    Containers are not looked into: one within another a hundred times is soon longer than memory.
    """
    if isinstance(value, str):
        return repr(value[:60])
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return f"a {type(value).__name__}"
