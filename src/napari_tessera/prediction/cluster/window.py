"""Blocks handed out a few at a time, tried again where they fail, until all are through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction.cluster.asking import ask_scheduler
from napari_tessera.prediction.cluster.crew import Crew, Lost
from napari_tessera.prediction.cluster.errors import CLOSED, ClusterError, plain_reason
from napari_tessera.prediction.cluster.failures import BlockError, Failure, Trouble
from napari_tessera.prediction.cluster.words import Outcome
from napari_tessera.stacks.checks import error_line

if TYPE_CHECKING:
    from distributed import Client

MOST_TRIES = 3
"""How often a block may fail, or take its worker with it."""

MOST_ASTRAY = 50
"""How often a block may come back from workers that had nothing to do with it."""

ASTRAY_SECONDS = 120.0
"""For how long at least: the crew may wait for a worker that died, and hear of no other then."""

FEWEST = 8
"""Blocks that are handed out where there are few workers."""

PER_WORKER = 2
"""Blocks that are handed out for each: one that it is at, one that waits there."""

IN_A_ROW = 3
"""Blocks that a worker may fail one after another while others do theirs."""

WAIT_SECONDS = 0.1

NOBODY_SECONDS = 60.0
"""How long all workers that are there may be refused: others may be starting anew."""

SUSPECT_SECONDS = 0.5
"""How long a task may be nowhere before it is handed out anew."""


@dataclass
class _Attempt:
    number: int
    future: Any


class Window:
    """Hands out blocks to the workers of a crew, a few for each: the scheduler holds no more.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    crew : Crew
        Its workers.
    submit : callable
        Given the number of a block, a name for the task, and the workers that it may go to (None:
        all), submits it; returns the future of an `Outcome`.
    cancel : threading.Event
        Once set, nothing further is handed out.
    tick : callable
        Called several times a second.
    done : callable
        Called with the `Outcome` of each block that is done.
    """

    def __init__(
        self,
        client: Client,
        crew: Crew,
        submit: Callable[[int, str, Collection[str] | None], Any],
        *,
        cancel: Event,
        tick: Callable[[], None],
        done: Callable[[Outcome], None],
    ) -> None:
        self._client: Any = client
        self._crew = crew
        self._submit = submit
        self._cancel = cancel
        self._tick = tick
        self._done = done
        self._pending: dict[str, _Attempt] = {}
        self._troubles: dict[int, Trouble] = {}
        self._streaks: dict[str, int] = {}
        self._good: set[str] = set()
        self._failed: list[Failure] = []
        self._successes = 0
        self._count = 0
        self._suspects: set[str] = set()
        self._suspects_since: float | None = None
        self._nobody_since: float | None = None
        self.inbox: SimpleQueue[tuple[str, Any] | Lost | None] = SimpleQueue()
        """What came: ends of tasks, workers that are gone, or None: look at the crew."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Blocks that are handed out."""
        return tuple(attempt.number for attempt in self._pending.values())

    def work(self, take: Callable[[], int | None], name: str) -> list[Failure]:
        """Work off all blocks, or as many as there are until a cancel.

        Parameters
        ----------
        take : callable
            Gives the number of the next block; None where there is none.
        name : str
            How names of tasks begin.

        Returns
        -------
        list of Failure
            Blocks that failed for good.

        Raises
        ------
        ClusterError
            If the scheduler is lost.
        BlockError
            If something failed that will fail for every block, or no worker can take part any more.
        """
        more = True
        try:
            while True:
                self._check_scheduler()
                self._check_somebody()
                while more and not self._cancel.is_set() and len(self._pending) < self._room:
                    number = take()
                    more = number is not None
                    if number is not None:
                        self._hand_out(number, name)
                if self._cancel.is_set() or (not self._pending and not more):
                    return self._failed
                for item in self._arrivals():
                    self._take_in(item, name)
                since = self._suspects_since
                if since is not None and time.monotonic() - since > SUSPECT_SECONDS:
                    self._free_the_stuck(name)
                self._tick()
        finally:
            self._withdraw()

    @property
    def _room(self) -> int:
        n_fit = len(self._crew.state.fit)
        return max(FEWEST, PER_WORKER * n_fit) if n_fit else 0

    def _arrivals(self) -> Iterable[tuple[str, Any] | Lost | None]:
        found: list[tuple[str, Any] | Lost | None] = []
        with suppress(Empty):
            found.append(self.inbox.get(timeout=WAIT_SECONDS))
            while True:
                found.append(self.inbox.get_nowait())
        return found

    def _check_scheduler(self) -> None:
        lost = self._crew.state.lost
        if self._client.status != "running" or lost:
            raise ClusterError(lost or CLOSED)

    def _check_somebody(self) -> None:
        """Raise where all workers have been refused meanwhile; if there are none, some may come."""
        state = self._crew.state
        if state.fit or state.preparing or not state.refused:
            self._nobody_since = None
            return
        now = time.monotonic()
        self._nobody_since = self._nobody_since or now
        if now - self._nobody_since > NOBODY_SECONDS:
            raise BlockError(
                f"no worker can take part any more ({next(iter(state.refused.values()))}): mend "
                "that, or start other workers, then start the run again with resume"
            )

    def _hand_out(self, number: int, name: str) -> None:
        state = self._crew.state
        avoid = self._troubles[number].avoid if number in self._troubles else set()
        allowed: Collection[str] | None = None
        if avoid & set(state.fit) or state.refused:
            allowed = sorted(set(state.fit) - avoid) or sorted(state.fit) or None
        self._count += 1
        key = f"{name}-{number}-{self._count}"
        try:
            future = self._submit(number, key, allowed)
            ended, loop = _ended(future), self._client.loop.asyncio_loop
            # waits and fetches in Dask's own thread, so that this one is never held up
            waiting = asyncio.run_coroutine_threadsafe(ended, loop)
        except (OSError, RuntimeError) as error:
            raise ClusterError(plain_reason(error)) from error
        self._pending[key] = _Attempt(number, future)
        waiting.add_done_callback(partial(_arrived, self.inbox, key))

    def _take_in(self, item: tuple[str, Any] | Lost | None, name: str) -> None:
        if item is None:
            self._free_the_stuck(name)
        elif isinstance(item, Lost):
            self._note_lost(item)
            self._free_the_stuck(name)
        else:
            key, waiting = item
            attempt = self._pending.pop(key, None)
            if attempt is not None:
                self._note_ended(attempt.number, waiting, name)

    def _note_ended(self, number: int, waiting: Any, name: str) -> None:
        try:
            outcome = waiting.result()
        except (CancelledError, asyncio.CancelledError):
            self._check_scheduler()
            # somebody restarted the cluster, or cancelled it there
            self._astray(number, "its task was cancelled from elsewhere", "", name)
            return
        except Exception as error:
            self._check_scheduler()
            if type(error).__name__ == "KilledWorker":
                self._killed(number, name)
            else:
                self._failure(number, error_line(error), "", name)
            return
        if not isinstance(outcome, Outcome):
            self._failure(number, f"it gave {outcome!r}", "", name)
        elif outcome.state == "done":
            self._successes += 1
            self._streaks.pop(outcome.worker, None)
            self._good.add(outcome.worker)
            self._troubles.pop(number, None)
            self._done(outcome)
        elif outcome.fatal:
            raise BlockError(outcome.message)
        elif outcome.state == "failed":
            self._judge(outcome)
            self._failure(number, outcome.message, outcome.worker, name)
        else:
            if outcome.state == "stranger":
                self._crew.renew(outcome.worker)
            elif outcome.state == "unfit":
                self._crew.refuse(outcome.worker, outcome.message)
            self._astray(number, outcome.message or "it was stopped", outcome.worker, name)

    def _judge(self, outcome: Outcome) -> None:
        """Leave a worker out that fails whatever it is given, while others do theirs."""
        streak = self._streaks[outcome.worker] = self._streaks.get(outcome.worker, 0) + 1
        fit = set(self._crew.state.fit)
        # where others fail too, as at a damaged part of the image, it is not the worker
        others = {w for w in self._good & fit if w != outcome.worker and w not in self._streaks}
        if streak >= IN_A_ROW and others:
            self._crew.refuse(
                outcome.worker, f"failed {streak} blocks in a row, at last with: {outcome.message}"
            )

    def _failure(self, number: int, message: str, worker: str, name: str) -> None:
        trouble = self._troubles.setdefault(number, Trouble())
        trouble.failures += 1
        trouble.message, trouble.worker = message, worker
        trouble.avoid.add(worker)
        self._again_or_failed(number, trouble, name)

    def _killed(self, number: int, name: str) -> None:
        """Dask gave a block up, with which several workers died."""
        trouble = self._troubles.setdefault(number, Trouble())
        # perhaps it only waited behind one that kills, if it was never seen at work
        trouble.suspected += 1
        self._again_or_failed(number, trouble, name)

    def _note_lost(self, lost: Lost) -> None:
        self._streaks.pop(lost.worker, None)
        if lost.expected:
            return
        key = self._was_at(lost)
        if key is None:
            return
        number = self._pending[key].number
        trouble = self._troubles.setdefault(number, Trouble())
        trouble.killed += 1
        trouble.worker = lost.worker
        trouble.message = (
            f"the worker's process ended {trouble.killed} times while it was at work on it: does "
            "it have enough memory?"
        )
        if trouble.killed >= MOST_TRIES:
            self._drop(key)
            self._give_up(number, trouble)

    def _was_at(self, lost: Lost) -> str | None:
        """Name of the task that a worker was at, which had others waiting behind it."""
        had = [key for key in self._pending if not lost.tasks or key in lost.tasks]
        for key in had:
            # it is not through, so the worker was at it to the end
            if self._pending[key].number == lost.at_work:
                return key
        # It was asked before it began with another. Those are taken up as they were handed out.
        return had[0] if lost.tasks and had else None

    def _astray(self, number: int, message: str, worker: str, name: str) -> None:
        trouble = self._troubles.setdefault(number, Trouble())
        trouble.astray += 1
        trouble.message = trouble.message or message
        if worker:
            trouble.avoid.add(worker)
        self._again_or_failed(number, trouble, name)

    def _again_or_failed(self, number: int, trouble: Trouble, name: str) -> None:
        tries = max(trouble.failures, trouble.killed, trouble.suspected)
        long = time.monotonic() - trouble.since > ASTRAY_SECONDS
        if tries >= MOST_TRIES or (trouble.astray >= MOST_ASTRAY and long):
            self._give_up(number, trouble)
        elif not self._cancel.is_set():
            self._hand_out(number, name)

    def _give_up(self, number: int, trouble: Trouble) -> None:
        message = trouble.message or "the processes of several workers ended while they were at it"
        self._failed.append(Failure(number, message, trouble.worker))
        self._troubles.pop(number, None)
        most = max(FEWEST, PER_WORKER * len(self._crew.state.fit))
        if not self._successes and len(self._failed) >= most:
            raise BlockError(
                f"the first {len(self._failed)} blocks all failed, the last one with: {message}"
            )

    def _free_the_stuck(self, name: str) -> None:
        """Hand out anew what no worker has: Dask does not see that one may take it by now."""
        self._suspects_since = None
        if not self._pending or not self._crew.state.fit:
            return
        held = ask_scheduler(self._client, "processing", workers=None)
        there = {str(key) for keys in held.values() for key in keys}
        # what is through may be on its way here: only what is nowhere the second time is lost
        gone = {key for key in self._pending if key not in there}
        for key in gone & self._suspects:
            attempt = self._pending[key]
            if attempt.future.status == "pending":
                self._drop(key)
                self._hand_out(attempt.number, name)
        self._suspects = gone - self._suspects
        if self._suspects:
            self._suspects_since = time.monotonic()

    def _drop(self, key: str) -> None:
        # what waits for it ends with it
        self._pending.pop(key).future.cancel()

    def _withdraw(self) -> None:
        """Take back all that is handed out."""
        attempts = list(self._pending.values())
        self._pending.clear()
        if attempts and self._client.status == "running":
            try:
                self._client.cancel([attempt.future for attempt in attempts])
            except (OSError, TimeoutError, RuntimeError):
                # a scheduler that is gone holds no tasks
                return


def _arrived(inbox: SimpleQueue[Any], key: str, waiting: Any) -> None:
    inbox.put((key, waiting))


async def _ended(future: Any) -> Any:
    # Not Client.gather: it waits in a task of its own for each, which nobody hears of where all is
    # taken back and the client closes, and asyncio then says so on the terminal.
    return await future
