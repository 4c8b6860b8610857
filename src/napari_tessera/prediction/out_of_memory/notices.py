"""What a run has to say while it goes on: that it changed its ways, and why."""

from __future__ import annotations

from threading import Lock


class Notices:
    """Keeps what is said, each line once, in the order in which it was said. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._said: tuple[str, ...] = ()

    def say(self, line: str) -> None:
        """Say something in one line, unless it was said before."""
        with self._lock:
            if line not in self._said:
                self._said = (*self._said, line)

    @property
    def said(self) -> tuple[str, ...]:
        """All that was said. Never waits."""
        return self._said
