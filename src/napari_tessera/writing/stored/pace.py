"""How often something is saved that could be saved after every batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 1 / 50
"""Part of the time that saving may take: in a folder a ledger is saved every 20 ms or so."""

LONGEST = 5.0
"""Seconds that are waited at most, where saving is slow: so much of a run a kill may cost."""


class Pace:
    """Lets something be done again only after a multiple of the time that it took.

    Parameters
    ----------
    share : float, default 1 / 50
        Part of all time that it may take.
    longest : float, default 5
        Seconds to wait at most.
    clock : callable, default time.monotonic
        Tells the time in seconds.
    """

    def __init__(
        self,
        share: float = SHARE,
        *,
        longest: float = LONGEST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share, self._longest = share, longest
        self._clock = clock
        self._next = clock()

    @property
    def due(self) -> bool:
        """Whether it is time to do it."""
        return self._clock() >= self._next

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Measure it while it is done, whether it goes well or not."""
        since = self._clock()
        try:
            yield
        finally:
            now = self._clock()
            self._next = now + min((now - since) / self._share, self._longest)
