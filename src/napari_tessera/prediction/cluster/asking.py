"""Questions to the scheduler and to workers that do not wait for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError, wait
from typing import Any

from napari_tessera.prediction.cluster.errors import CLOSED, ClusterError, plain_reason

ANSWER_SECONDS = 20.0
"""How long workers may take to answer."""

TOGETHER_SECONDS = 2.0
"""How long they may take where all are asked at once, before each is asked by itself."""

LATE_SECONDS = 1.0
"""How long nobody may have answered before those that did are enough."""

SCHEDULER_SECONDS = 60.0
"""How long the scheduler may take to answer: its computer may have stalled, or be very busy."""

_GONE = (OSError, TimeoutError, RuntimeError, AttributeError)
"""What Dask raises where the scheduler is gone; a client that is closed has none any more."""


def ask_scheduler(client: Any, operation: str, **kwargs: Any) -> Any:
    """Ask the scheduler for something, as Dask's client does, but not for ever.

    Raises
    ------
    ClusterError
        If it is gone, or does not answer.
    """
    _check_open(client)
    try:
        ask = getattr(client.scheduler, operation)
        return client.sync(ask, callback_timeout=SCHEDULER_SECONDS, **kwargs)
    except TimeoutError as error:
        raise ClusterError(f"it gave no answer for {SCHEDULER_SECONDS:g} s") from error
    except _GONE as error:
        raise ClusterError(plain_reason(error)) from error


def ask_workers(
    client: Any,
    function: Callable[..., Any],
    *args: Any,
    workers: Collection[str],
    seconds: float = ANSWER_SECONDS,
    once: bool = False,
) -> dict[str, Any]:
    """Have workers call a function.

    One message goes to all of them. Where one does not answer, or not as it should, that hides what
    the others say: then each is asked by itself.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    function, *args
        What is called there, in the worker's own event loop; a second call does no harm.
    workers : collection of str
        Their addresses.
    seconds : float
        How long they may take; those that are late are not waited for where others have answered.
    once : bool
        Whether to leave it at one message, as what is sent is large.

    Returns
    -------
    dict of str to object
        What each gave, or the exception that it raised. Those that gave no answer in time, or that
        could not be reached, are left out: so is what raised an OSError.

    Raises
    ------
    ClusterError
        If the scheduler is gone.
    """
    if not workers:
        return {}
    _check_open(client)

    def ask(those: Collection[str]) -> Any:
        return client.run(
            function, *args, workers=list(those), on_error="return", asynchronous=True
        )

    answers = _answers(client, ask, list(workers), seconds, once)
    try:
        coming = asyncio.run_coroutine_threadsafe(answers, client.loop.asyncio_loop)
        while not wait([coming], timeout=LATE_SECONDS).done:
            # of one that was closed the loop may stand still for ever
            _check_open(client)
        found = coming.result()
    except (*_GONE, CancelledError) as error:
        raise ClusterError(plain_reason(error)) from error
    return {worker: answer for worker, answer in found.items() if not isinstance(answer, OSError)}


async def _answers(
    client: Any,
    ask: Callable[[Collection[str]], Any],
    workers: list[str],
    seconds: float,
    once: bool,
) -> dict[str, Any]:
    if once or len(workers) > 1:
        try:
            limit = seconds if once else min(seconds, TOGETHER_SECONDS)
            together: dict[str, Any] = await asyncio.wait_for(ask(workers), limit)
            return together
        except AssertionError:
            # Dask's own, where one raised something with a traceback that cannot be sent here
            pass
        except TimeoutError:
            if once:
                return {}
    asking = {worker: asyncio.ensure_future(_answer(ask, worker)) for worker in workers}
    until = time.monotonic() + seconds
    try:
        late = set(asking.values())
        while late and time.monotonic() < until:
            n_late = len(late)
            _, late = await asyncio.wait(late, timeout=LATE_SECONDS)
            some = len(late) < len(asking)
            if len(late) == n_late and (some or await _are_gone(client, workers)):
                break
        answered = {worker: one for worker, one in asking.items() if one.done()}
        return {worker: one.result() for worker, one in answered.items()}
    finally:
        for one in asking.values():
            # looked at, so that asyncio does not tell the terminal of it
            if not one.cancel() and not one.cancelled():
                one.exception()


async def _answer(ask: Callable[[Collection[str]], Any], worker: str) -> Any:
    try:
        return (await ask([worker]))[worker]
    except AssertionError:
        return RuntimeError("it fails there for a reason that it cannot send")


async def _are_gone(client: Any, workers: Collection[str]) -> bool:
    """Whether the scheduler knows none of them any more; Dask tries for long to reach one."""
    try:
        there = await asyncio.wait_for(client.scheduler.ncores(), LATE_SECONDS)
    except TimeoutError:
        return False
    return not set(workers) & set(there)


def _check_open(client: Any) -> None:
    if client.status != "running":
        raise ClusterError(CLOSED)
