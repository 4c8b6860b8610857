"""Stacks that are opened when they are needed, of which a few stay open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

from napari_tessera.stacks.array import ArrayStack

S = TypeVar("S", bound=ArrayStack)


class StackPool(Generic[S]):
    """The stacks used most recently stay open; safe to use from several threads.

    Parameters
    ----------
    open_one : callable
        Opens the stack of a number.
    most : int
        How many stay open. Those that threads are just reading from count, but are not closed.
    """

    def __init__(self, open_one: Callable[[int], S], most: int) -> None:
        self._open_one = open_one
        self._most = most
        self._lock = Lock()
        self._idle: OrderedDict[int, S] = OrderedDict()
        self._used: dict[int, tuple[S, int]] = {}

    def __len__(self) -> int:
        return len(self._idle) + len(self._used)

    @contextmanager
    def use(self, number: int) -> Iterator[S]:
        """The stack of a number, which stays open at least as long as the ``with`` block lasts."""
        stack = self._take(number)
        if stack is None:
            # opened without the lock: other threads go on reading from what is open
            opened = self._open_one(number)
            stack = self._take(number, opened)
            if stack is not opened:
                opened.close()
        assert stack is not None
        try:
            yield stack
        finally:
            self._give_back(number)

    def close(self) -> None:
        """Close all that nobody reads from; the rest is closed when it is given back."""
        with self._lock:
            self._most = 0
            self._trim()

    def _take(self, number: int, opened: S | None = None) -> S | None:
        with self._lock:
            stack, users = self._used.get(number, (self._idle.pop(number, opened), 0))
            if stack is not None:
                self._used[number] = (stack, users + 1)
                self._trim()
            return stack

    def _give_back(self, number: int) -> None:
        with self._lock:
            stack, users = self._used.pop(number)
            if users > 1:
                self._used[number] = (stack, users - 1)
            else:
                self._idle[number] = stack
                self._trim()

    def _trim(self) -> None:
        while self._idle and len(self) > self._most:
            self._idle.popitem(last=False)[1].close()
