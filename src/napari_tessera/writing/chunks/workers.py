"""Threads that pack and store chunks; whoever runs a writer lends them to it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Workers:
    """Threads that are lent to a writer.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        The threads.
    count : int
        How many there are.
    """

    executor: Executor
    count: int

    @property
    def most_waiting(self) -> int:
        """Chunks that may be at work or wait for a thread: enough that none stands idle."""
        return 2 * self.count

    def submit(self, work: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> Future[_T]:
        """Let a thread do something."""
        return self.executor.submit(work, *arguments, **named)
