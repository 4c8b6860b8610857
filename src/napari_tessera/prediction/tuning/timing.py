"""Times of what is done again and again, several kinds in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from napari_tessera.prediction.tuning.stopping import Listener

if TYPE_CHECKING:
    import torch

ROUNDS = 7
"""Times that each kind is measured at most: the median of so many stands still."""

SHORTEST = 0.02
"""Seconds: what is over sooner is done several times in a row, and the mean of these is one time,
so that neither the clock nor one other thread at work decides it."""

Kind = TypeVar("Kind")


def in_turn(
    kinds: Mapping[Kind, Callable[[], object]],
    first: Mapping[Kind, float],
    seconds: float,
    listener: Listener,
    describe: Callable[[Kind], str] = str,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Kind, list[float]]:
    """Time several things in turn, round by round, so that what slows the machine slows all.

    Parameters
    ----------
    kinds : mapping of kind to callable
        What is done for each.
    first : mapping of kind to float
        What each took before, in seconds: it tells how often a short one is done in a row. It
        stands for one that there was no time for.
    seconds : float
        No round begins that would end after so many.
    listener : Listener
        Is told what is being done.
    describe : callable
        Gives the words for a kind.
    clock : callable
        Gives the time in seconds.

    Returns
    -------
    dict of kind to list of float
        Times in seconds, at least one of each.
    """
    began = clock()
    repeats = {kind: max(1, ceil(SHORTEST / max(first[kind], 1e-6))) for kind in kinds}
    whole_round = sum(first[kind] * repeats[kind] for kind in kinds)
    found: dict[Kind, list[float]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        if clock() - began + whole_round > seconds:
            break
        for kind, do in kinds.items():
            listener.at((clock() - began) / seconds, describe(kind))
            since = clock()
            for _ in range(repeats[kind]):
                do()
            found[kind].append((clock() - since) / repeats[kind])
    return {kind: times or [first[kind]] for kind, times in found.items()}


def middle(times: Sequence[float]) -> float:
    """The median of times, in seconds; never 0, which nothing can be divided by."""
    return max(median(times), 1e-9)


def wait_for(device: torch.device) -> None:
    """Wait until an accelerator has done all that it was given; a CPU has."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
