"""Ways of doing one thing, timed by turns in one process, so that what slows one slows all."""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Timings:
    """Seconds of each way, one number a round; the n-th of all ways are of the same minute.

    Parameters
    ----------
    seconds : dict of str to list of float
        By the way's name.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def spread(self, name: str) -> tuple[float, float]:
        """Least and most."""
        return min(self.seconds[name]), max(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> tuple[float, float, float]:
        """Ratio of the medians, then the least and the most of the rounds' own ratios."""
        each = [a / b for a, b in zip(self.seconds[slow], self.seconds[fast], strict=True)]
        return self.median(slow) / self.median(fast), min(each), max(each)

    def best(self, *names: str) -> str:
        """The way with the least median."""
        return min(names, key=self.median)

    def keep(self, path: Path | None, part: str) -> None:
        """Add rounds that a file has of the same part, and write all to it."""
        if path is None:
            return
        stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
        earlier = stored.get(part, {})
        # rounds of other ways are of another comparison
        if earlier.keys() == self.seconds.keys():
            self.seconds = {name: earlier[name] + times for name, times in self.seconds.items()}
        stored[part] = self.seconds
        path.write_text(json.dumps(stored, indent=1), "utf-8")

    def print(self) -> None:
        """A table: median, least and most of each way."""
        print("| way | median | least | most |\n|---|--:|--:|--:|")
        for name in self.seconds:
            low, high = self.spread(name)
            print(f"| {name} | {self.median(name):.3f} s | {low:.3f} s | {high:.3f} s |")


def interleaved(
    ways: Mapping[str, Callable[[], Any]],
    rounds: int,
    *,
    warm: bool = True,
    after: Callable[[], Any] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Timings:
    """Time each way once a round, beginning with another one in each round.

    Parameters
    ----------
    ways : mapping of str to callable
        What to time.
    rounds : int
        How often.
    warm : bool, default True
        Whether to run each once before, untimed.
    after : callable, optional
        Called after each way, untimed: what clears up.
    clock : callable
        `time.process_time` where other programs want the cores too; not for what starts processes.
    """
    names = list(ways)
    found: dict[str, list[float]] = {name: [] for name in names}
    for at in range(-1 if warm else 0, rounds):
        first = at % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            began = clock()
            made = ways[name]()
            took = clock() - began
            del made
            if at >= 0:
                found[name].append(took)
            if after is not None:
                after()
            print(f"{name}: {took:.3f} s", file=sys.stderr, flush=True)
    return Timings(found)
