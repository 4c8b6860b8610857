"""How many threads a computation gets, without a word in that of others.

PyTorch keeps a number for each thread, and one that threads begin with; ``torch.set_num_threads``
sets both. A thread that is born meanwhile would stay with what was meant for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock, Thread

import torch

_SETTING = Lock()


@contextmanager
def own_threads(count: int | None) -> Iterator[None]:
    """Compute with ``count`` threads in the thread that asks, and in no other one.

    Parameters
    ----------
    count : int or None
        None: as many as it has, which is what threads begin with unless it was told otherwise.
    """
    # a thread's number is bound when it is first asked for: not while another one is being set
    with _SETTING:
        before = torch.get_num_threads()
    if count in (None, before):
        yield
        return
    _set(count or before)
    try:
        yield
    finally:
        _set(before)


def few_threads(are_enough: bool) -> AbstractContextManager[None]:
    """One thread where inputs are small: several would only wait for one another.

    They wait by spinning: where other programs want the cores too, that takes ten times as long.
    """
    return own_threads(1) if are_enough else nullcontext()


def _set(count: int) -> None:
    """Set this thread's number, and put back the one that threads begin with."""
    with _SETTING:
        at_birth: list[int] = []
        _in_new_thread(lambda: at_birth.append(torch.get_num_threads()))
        torch.set_num_threads(count)
        _in_new_thread(lambda: torch.set_num_threads(at_birth[0]))


def _in_new_thread(do: Callable[[], None]) -> None:
    thread = Thread(target=do)
    thread.start()
    thread.join()
