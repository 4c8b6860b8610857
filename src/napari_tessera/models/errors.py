"""The error that every loader and every model raises."""

from __future__ import annotations

from typing import Self


class ModelError(ValueError):
    """A model that cannot be loaded or used.

    The message is one line: the model's name, why, and the way out.

    Attributes
    ----------
    why, way_out : str
        The last two alone; empty where the error was not built from them.
    """

    why = ""
    way_out = ""

    @classmethod
    def not_loadable(cls, name: str, why: str, way_out: str) -> Self:
        """Build the error for a model that cannot be loaded."""
        return cls._of(f"{shown(name, 1000)} cannot be loaded", why, way_out)

    @classmethod
    def not_usable(cls, name: str, why: str, way_out: str) -> Self:
        """Build the error for a model that was loaded but does not do what a tile needs."""
        return cls._of(f"{shown(name, 1000)} cannot be used", why, way_out)

    @classmethod
    def _of(cls, what: str, why: str, way_out: str) -> Self:
        plain = plain_line(why, 1000)
        error = cls(f"{what}: {plain}. {way_out}")
        error.why, error.way_out = plain, way_out
        return error


def plain_line(text: str, limit: int = 600) -> str:
    """Text of a stranger as one line, not too long, without what moves a terminal's cursor."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def message_line(error: BaseException, limit: int = 300) -> str:
    """Say what an exception says, in one line.

    TorchScript wraps the message in the lines of its own code; there the last line holds it.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = lines[-1] if "TorchScript" in lines[0] else lines[0]
    text = "".join(one if one.isprintable() else " " for one in text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def shown(text: object, limit: int = 60) -> str:
    """A stranger's word in one line: quoted if it has line breaks or escapes in it."""
    short = str(text)[:limit]
    return short if short.isprintable() else repr(short)
