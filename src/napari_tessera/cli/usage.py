"""What is wrong with the words of a command, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_tessera.cli.reporting import NAME, one_line


def usage_line(error: Exception) -> str | None:
    """What typer refuses, with the command whose help tells more.

    Parameters
    ----------
    error : Exception
        What the command raised.

    Returns
    -------
    str or None
        Empty for a command without any word, which has printed its help already; None for an error
        that is not one of usage.
    """
    # typer's own errors of usage are of a class that has moved between its versions
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    # where typer leaves values to pydantic, its words are pydantic's, which are for programmers
    refused = getattr(error.__cause__, "errors", None)
    if callable(refused) and (problem := value_problem(refused()[0])):
        error.message = problem  # type: ignore[attr-defined]
    text = one_line(message())
    if not text:
        return ""
    command = getattr(getattr(error, "ctx", None), "command_path", NAME)
    return f"{command}: {text.removesuffix('.')} (see {command} --help)"


def value_problem(refused: Mapping[str, Any]) -> str | None:
    """What is wrong with a value, in our words; None where there are none for it.

    Parameters
    ----------
    refused : mapping
        One of the errors of a ``pydantic.ValidationError``.
    """
    value, kind, limits = refused["input"], refused["type"], refused.get("ctx", {})
    if kind.startswith("int_"):
        return f"{str(value)!r} is no whole number"
    if kind.startswith("float_"):
        return f"{str(value)!r} is no number: give one like 0.46"
    if kind == "greater_than_equal":
        return f"{value} is too small: give {limits['ge']} or more"
    if kind == "value_error":
        return str(limits["error"])
    return None
