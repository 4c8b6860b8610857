"""Walking through what a YAML file says, with errors that name the field."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

CORRECT = "Correct it, or ask its author for a valid package"


class DescriptionError(ValueError):
    """A description that cannot be followed.

    Parameters
    ----------
    why : str
        Half a sentence.
    way_out : str
        A sentence without a full stop.
    """

    def __init__(self, why: str, way_out: str = CORRECT) -> None:
        super().__init__(why)
        self.why = why
        self.way_out = way_out


@dataclass(frozen=True)
class Field:
    """A value of a description and where it stands.

    Parameters
    ----------
    path : str
        As people write it: ``inputs[0].axes[2].size``.
    value : object
        What a YAML file can hold; None where the field is left out.
    """

    path: str
    value: Any

    def __bool__(self) -> bool:
        """Whether the field is there."""
        return self.value is not None

    def refuse(self, why: str, way_out: str = CORRECT) -> NoReturn:
        """Raise the error for this field; ``why`` follows its name and value."""
        shown = repr(self.value)
        shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
        name = self.path or "the description"
        raise DescriptionError(f"its {name} is {shown}, {why}", way_out)

    def __getitem__(self, key: str) -> Field:
        """The field of that name in a mapping; empty where it is left out."""
        path = f"{self.path}.{key}" if self.path else key
        return Field(path, self.mapping().get(key))

    def needed(self, key: str) -> Field:
        """The field of that name in a mapping, which must be there."""
        found = self[key]
        if not found:
            raise DescriptionError(f"it has no {found.path}")
        return found

    def mapping(self) -> Mapping[Any, Any]:
        """The value as a mapping; an empty one where the field is left out."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.refuse("not a mapping")
        return self.value

    def items(self) -> list[Field]:
        """The entries of a list; none where the field is left out."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self.refuse("not a list")
        return [Field(f"{self.path}[{i}]", value) for i, value in enumerate(self.value)]

    def entries(self) -> list[tuple[str, Field]]:
        """Names and fields of a mapping, those that hold nothing left out."""
        return [(str(k), self[k]) for k, v in self.mapping().items() if v is not None]

    def text(self) -> str:
        """The value as text; numbers, which versions may look like, are written out."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            self.refuse("not text")
        return str(self.value).strip()

    def choice(self, allowed: Iterable[str], way_out: str = CORRECT) -> str:
        """The value as one of some texts."""
        text, known = self.text(), list(allowed)
        if text not in known:
            self.refuse(f"none of {', '.join(known)}", way_out)
        return text

    def number(self) -> float:
        """The value as a finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.refuse("not a number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.refuse("not a finite number")
        return number

    def number_in(self, least: float, most: float) -> float:
        """The value as a number within limits, both included."""
        number = self.number()
        if not least <= number <= most:
            self.refuse(f"not within {least:g}…{most:g}")
        return number

    def whole(self, least: int, most: int = 2**40) -> int:
        """The value as a whole number within limits, both included."""
        number = self.number()
        if number != int(number) or not least <= number <= most:
            limits = f"from {least} on" if most >= 2**40 else f"within {least}…{most}"
            self.refuse(f"not a whole number {limits}")
        return int(number)

    def truth(self) -> bool:
        """The value as true or false; false where the field is left out."""
        if self.value is None:
            return False
        if not isinstance(self.value, bool):
            self.refuse("neither true nor false")
        return self.value

    def numbers(self) -> tuple[float, ...]:
        """The value as a list of numbers; a single number is a list of one."""
        if isinstance(self.value, list):
            found = tuple(item.number() for item in self.items())
            return found or self.refuse("empty")
        return (self.number(),)
