"""How fast tiles come, the first ones left out."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Time that tiles took after those of the first batch.

    With these the model warms up, threads start, and the first pixels are read.

    Parameters
    ----------
    batch_size : int
        Tiles that come together.
    clock : callable, optional
        Seconds that have gone by since some moment.
    """

    def __init__(self, batch_size: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._first = batch_size
        self._clock = clock
        self._came = 0
        self._began = 0.0
        self.seconds = 0.0
        """Time of the tiles that count."""

    @property
    def tiles(self) -> int:
        """Tiles that count."""
        return max(0, self._came - self._first)

    def came(self) -> None:
        """Take note that a tile has come."""
        self._came += 1
        now = self._clock()
        if self._came <= self._first:
            self._began = now
        self.seconds = now - self._began
