"""The error that every loader and every model raises."""

from __future__ import annotations

from typing import Self


class ModelError(ValueError):
    """A model that cannot be loaded or used.

    The message is one line: the model's name, why, and the way out.
    """

    @classmethod
    def not_loadable(cls, name: str, why: str, way_out: str) -> Self:
        """Build the error for a model that cannot be loaded."""
        return cls(f"{name} cannot be loaded: {why}. {way_out}")

    @classmethod
    def not_usable(cls, name: str, why: str, way_out: str) -> Self:
        """Build the error for a model that was loaded but does not do what a tile needs."""
        return cls(f"{name} cannot be used: {why}. {way_out}")


def one_line(error: BaseException, limit: int = 300) -> str:
    """Say what an exception says, in one line.

    TorchScript wraps the message in the lines of its own code; there the last line holds it.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = lines[-1] if "TorchScript" in lines[0] else lines[0]
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
