"""The part on built-in models: every method on every case, then by turns for its seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from benchmarks.goals import Goal
from benchmarks.quality_parts.cases import Case
from benchmarks.quality_parts.judging import Gain, goals
from benchmarks.quality_parts.kept import Kept
from benchmarks.quality_parts.measures import Measures, measured
from benchmarks.quality_parts.results import NOISY, Results
from benchmarks.rounds import Timings, interleaved


@dataclass(frozen=True)
class Method:
    """A way to denoise.

    Parameters
    ----------
    run : callable
        Of a case; gives the result and what it was set to with the clean image in hand.
    version : str
        Of the software or the weights; figures of another one are not taken from a file.
    once : callable, optional
        Of a case and a number of threads: the same with nothing searched for, whose seconds count.
        None where `run` is that.
    is_kept : bool
        Whether figures are taken from a file.
    """

    run: Callable[[Case], tuple[np.ndarray, str]]
    version: str
    once: Callable[[Case, int], Any] | None = None
    is_kept: bool = True

    def timed(self, case: Case) -> Callable[[], Any]:
        """What the clock is held to."""
        threads = torch.get_num_threads()
        if self.once is None:
            return lambda: self.run(case)
        once = self.once
        return lambda: once(case, threads)


def of_package(
    package: str,
    run: Callable[[Case], tuple[np.ndarray, str]],
    once: Callable[[Case, int], Any] | None = None,
) -> Method:
    return Method(run, f"{package} {version(package)}", once)


def results_of(methods: Mapping[str, Method], cases: Sequence[Case], kept: Kept) -> Results:
    """Measure every method on every case, one after the other."""
    results = Results(list(cases))
    nothing = Kept(None)
    for case in cases:
        noisy = case.noisy.astype(np.float64)
        results.add(NOISY, case, measured(noisy, noisy, case.clean))
        for name, method in methods.items():

            def work(method: Method = method, case: Case = case) -> dict[str, Any]:
                made, how = method.run(case)
                found = measured(made, case.noisy.astype(np.float64), case.clean)
                return {"measures": found.to_json(), "how": how}

            file = kept if method.is_kept else nothing
            found = file.of(name, method.version, case.name, case.digest, work)
            measures, how = Measures.from_json(found["measures"]), found["how"]
            results.add(name, case, measures, how)
            print(f"{case.name}, {name}: {measures.psnr:.2f} dB {how}", file=sys.stderr, flush=True)
    return results


def timings_of(
    methods: Mapping[str, Method], case: Case, rounds: int, clock: Callable[[], float]
) -> Timings:
    """Seconds for one image, all methods by turns."""
    ways = {name: method.timed(case) for name, method in methods.items()}
    return interleaved(ways, rounds, clock=clock)


def goals_of(
    results: Results,
    judged: Sequence[str],
    gains: Sequence[Gain],
    timings: Timings | None,
    slow: str,
) -> dict[str, list[Goal]]:
    """Goals of each model; what was not timed is not judged by speed."""
    timed = timings is not None and slow in timings.seconds
    speed = (timings, slow) if timings is not None and timed else None
    return {name: goals(results, name, gains, speed) for name in judged}
