"""How fast a training is, and how long it goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_LOOKED_BACK = 60.0


class Pace:
    """Tells speed and time left by the last minute.

    The first step of a run does not count: what is done once, as reading ahead or choosing
    kernels, is done in it.

    Parameters
    ----------
    clock : callable
        Tells seconds; never goes back.
    spent : float
        Seconds spent in runs before.
    """

    def __init__(self, clock: Callable[[], float], spent: float = 0.0) -> None:
        self._clock = clock
        self._began = clock()
        self._spent = spent
        self._marks: deque[tuple[float, int]] = deque()

    @property
    def seconds(self) -> float:
        """Time spent, that in runs before included."""
        return self._spent + self._clock() - self._began

    def stepped(self, step: int) -> None:
        """Take note that so many steps are done."""
        now = self._clock()
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[1][0] >= _LOOKED_BACK:
            self._marks.popleft()

    @property
    def steps_per_second(self) -> float | None:
        """Speed of the last minute; None before it can be told."""
        if len(self._marks) < 2:
            return None
        (before, first), (after, last) = self._marks[0], self._marks[-1]
        return (last - first) / (after - before) if after > before else None

    def seconds_left(self, steps: int) -> float | None:
        """Time that so many steps take at this speed; None before it can be told."""
        speed = self.steps_per_second
        return steps / speed if speed else None
