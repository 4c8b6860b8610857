"""The one state that runs, live preview and all buttons derive from, and how it may change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

IDLE, PLANNING, RUNNING, WRITING = "idle", "planning", "running", "writing"
STOPPING, STOPPED, DONE, FAILED = "stopping", "stopped", "done", "failed"
PREVIEW = "preview"

STATES = (IDLE, PREVIEW, PLANNING, RUNNING, WRITING, STOPPING, STOPPED, DONE, FAILED)

BUSY = (PLANNING, RUNNING, WRITING, STOPPING)
"""States in which a run is going on."""

RESTING = (IDLE, STOPPED, DONE, FAILED)
"""States in which nothing goes on."""

CHANGES: Mapping[str, frozenset[str]] = {
    IDLE: frozenset({PREVIEW, PLANNING}),
    # What a live preview ends in is what was there before it; a full run takes over from it.
    PREVIEW: frozenset({*RESTING, PLANNING}),
    # Straight to a resting state where a run is refused, was stopped, or lost its layers.
    PLANNING: frozenset({RUNNING, STOPPING, *RESTING}),
    # A run through goes on with its file, or with the next layer.
    RUNNING: frozenset({WRITING, PLANNING, STOPPING, *RESTING}),
    WRITING: frozenset({PLANNING, STOPPING, *RESTING}),
    # Layers that were removed end their own run only: the next one's turn comes.
    STOPPING: frozenset({PLANNING, *RESTING}),
    STOPPED: frozenset({PREVIEW, PLANNING, WRITING, IDLE}),
    DONE: frozenset({PREVIEW, PLANNING, IDLE}),
    FAILED: frozenset({PREVIEW, PLANNING, IDLE}),
}
"""From each state the states that may come next."""


class ImpossibleChangeError(RuntimeError):
    """A change that is none of `CHANGES`: a defect of whoever asked for it."""


class RunState:
    """The state of a controller.

    Something may run *beside* what the last run left (flip disagreement), or instead of it for a
    while (live preview): at its end everything is as it was before.

    Parameters
    ----------
    changed : callable
        Called with each new state.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._now = IDLE
        self._before: str | None = None

    @property
    def now(self) -> str:
        """One of `STATES`."""
        return self._now

    @property
    def busy(self) -> bool:
        """Whether a run is going on."""
        return self._now in BUSY

    @property
    def resting(self) -> str:
        """The state that nothing going on leaves: this one, or the one that is returned to."""
        return self._now if self._before is None else self._before

    @property
    def beside(self) -> bool:
        """Whether what goes on returns to what was before it."""
        return self._before is not None

    def to(self, state: str) -> None:
        """Change to a state; nothing happens where it is that one already.

        At the end of what runs beside something else the state is that of before, whichever
        resting one was asked for.

        Raises
        ------
        ImpossibleChangeError
            If the change is none of `CHANGES`.
        """
        if state in RESTING and self._before is not None:
            state, self._before = self._before, None
        if state == self._now:
            return
        if state not in CHANGES[self._now]:
            raise ImpossibleChangeError(f"no run goes from {self._now} to {state}")
        self._now = state
        self._changed(state)

    def begin_beside(self) -> None:
        """Let what starts now return to the state of now.

        Raises
        ------
        ImpossibleChangeError
            If something goes on.
        """
        if self._now not in RESTING:
            raise ImpossibleChangeError(f"nothing runs beside what is {self._now}")
        self._before = self._now

    def replace_before(self, state: str) -> None:
        """Return to another resting state than the one of before: what that was of is gone."""
        if self._before is not None:
            self._before = state

    def take_over(self) -> None:
        """Let what starts now be the run itself: there is nothing to return to."""
        self._before = None

    def abandon(self) -> None:
        """Rest without telling anybody, as nobody is there any more."""
        self._now, self._before = IDLE, None
