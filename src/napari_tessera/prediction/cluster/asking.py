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

GONE_SECONDS = 1.0
"""How often it is looked whether those that are asked are still there."""

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

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    function, *args
        What is called there, in the worker's own event loop.
    workers : collection of str
        Their addresses.
    seconds : float
        How long they may take.
    once : bool
        Whether asking again would cost much. Else nothing further is waited for where one of them
        is gone meanwhile.

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
    try:
        answers = _answers(client, function, args, workers, seconds, once)
    except AssertionError:
        # Dask's own, where one raised something with a traceback that cannot be sent here
        if len(workers) == 1:
            unsaid = RuntimeError("it fails there for a reason that it cannot send")
            return dict.fromkeys(workers, unsaid)
        each = (
            ask_workers(client, function, *args, workers=[worker], seconds=seconds, once=once)
            for worker in workers
        )
        return {worker: answer for one in each for worker, answer in one.items()}
    except TimeoutError:
        # one that died this moment is waited for: next time it is not among those asked
        return {}
    except (*_GONE, CancelledError) as error:
        raise ClusterError(plain_reason(error)) from error
    return {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}


def _answers(
    client: Any,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    workers: Collection[str],
    seconds: float,
    once: bool,
) -> dict[str, Any]:
    asking = client.run(
        function, *args, workers=list(workers), on_error="return", asynchronous=True
    )
    answering = asyncio.run_coroutine_threadsafe(asking, client.loop.asyncio_loop)
    until = time.monotonic() + seconds
    try:
        while True:
            left = until - time.monotonic()
            done, _ = wait([answering], timeout=left if once else min(GONE_SECONDS, left))
            if done:
                answers: dict[str, Any] = answering.result()
                return answers
            # Dask tries for long to reach one that died, though it knows that it did
            there = () if once else ask_scheduler(client, "ncores")
            if time.monotonic() >= until or not set(workers) <= set(there):
                raise TimeoutError
    finally:
        answering.cancel()


def _check_open(client: Any) -> None:
    if client.status != "running":
        raise ClusterError(CLOSED)
