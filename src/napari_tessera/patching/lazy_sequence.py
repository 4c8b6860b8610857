"""Sequences that store nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

_Item = TypeVar("_Item")


class LazySequence(Sequence[_Item], Generic[_Item]):
    """A sequence whose items are made when they are asked for.

    As in any sequence, negative numbers count from the end, and a slice gives a list. It equals
    any sequence of as many items that are the same, one by one.

    Parameters
    ----------
    n : int
        Number of items.
    make : callable
        Gives the item of a number 0…n − 1, the same whenever it is asked.
    """

    def __init__(self, n: int, make: Callable[[int], _Item]) -> None:
        self._numbers = range(n)
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, item: int) -> _Item: ...
    @overload
    def __getitem__(self, item: slice) -> list[_Item]: ...
    def __getitem__(self, item: int | slice) -> _Item | list[_Item]:
        chosen = self._numbers[item]
        if isinstance(chosen, range):
            return [self._make(number) for number in chosen]
        return self._make(chosen)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazySequence):
            # ``len`` ends at 2⁶³ − 1.
            if self._numbers != other._numbers:
                return False
        elif not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        elif self._numbers.stop != len(other):
            return False
        return all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
