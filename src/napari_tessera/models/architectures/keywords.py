"""Reading settings that a stranger wrote."""

from __future__ import annotations

from collections.abc import Mapping

from napari_tessera.models.architectures.errors import ArchitectureError, shown


class Keywords:
    """Settings by name, each of the type that is asked for.

    Parameters
    ----------
    given : mapping
        As they were read.
    """

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given

    def integer(self, name: str, default: int | None) -> int:
        """An integer; without default it must be there."""
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ArchitectureError(f"its {name} {shown(value)} is no integer")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        """True or False."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise ArchitectureError(f"its {name} {shown(value)} is neither true nor false")
        return value

    def text(self, name: str, default: str) -> str:
        """Text; None is the default."""
        value = self._value(name, default)
        if value is None:
            return default
        if not isinstance(value, str):
            raise ArchitectureError(f"its {name} {shown(value)} is no text")
        return value

    def _value(self, name: str, default: object) -> object:
        value = self._given.get(name, default)
        if value is None and name not in self._given:
            raise ArchitectureError(f"its {name} is missing")
        return value
