"""Memory and processor time of the processes of a run, looked at while it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import psutil
from benchmarks.cluster_parts.processes import Processes

from napari_tessera.prediction import Progress

EVERY_SECONDS = 1.0

SAID_SECONDS = 60.0
"""How often the terminal is told how far a run is: it may take an hour."""

MB = 1e6


@dataclass(frozen=True)
class Seen:
    """One look.

    Parameters
    ----------
    seconds : float
        Since the first look.
    done : int
        Blocks.
    tasks : int
        That the scheduler knows of.
    scheduler_mb, client_mb, worker_mb : float
        Resident memory, MB; of the largest worker.
    scheduler_cpu, client_cpu, workers_cpu : float
        Processor seconds since the process began; of all workers.
    """

    seconds: float
    done: int
    tasks: int
    scheduler_mb: float
    client_mb: float
    worker_mb: float
    scheduler_cpu: float
    client_cpu: float
    workers_cpu: float


class Watch:
    """Looks at a run from a thread, between ``with`` and its end.

    Parameters
    ----------
    client : distributed.Client
        Of the run.
    processes : Processes
        Those of the cluster.
    n_blocks : int
        Of the run, each of one tile.
    """

    def __init__(self, client: Any, processes: Processes, n_blocks: int) -> None:
        self.n_blocks = n_blocks
        self.seen: list[Seen] = []
        self._client = client
        self._scheduler = psutil.Process(processes.scheduler)
        self._here = psutil.Process()
        self._workers = [
            child
            for nanny in processes.nannies
            for child in psutil.Process(nanny).children(recursive=True)
        ]
        self._done = 0
        self._began = time.perf_counter()
        self._end = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def told(self, progress: Progress) -> None:
        """For ``progress=``: a tile is a block."""
        self._done = progress.done

    def finished(self) -> None:
        """The last look."""
        self._end.set()
        self._thread.join()
        self._done = self.n_blocks
        self._look()

    def at(self, shares: Sequence[float]) -> list[Seen]:
        """The look that was nearest to each share of the blocks, none twice."""
        found = {
            min(self.seen, key=lambda one: abs(one.done - share * self.n_blocks)): None
            for share in shares[:-1]
        }
        return [*found, *([self.seen[-1]] if self.seen[-1] not in found else [])]

    def _watch(self) -> None:
        said = time.perf_counter()
        while not self._end.wait(EVERY_SECONDS):
            self._look()
            if time.perf_counter() - said > SAID_SECONDS:
                said = time.perf_counter()
                print(self._line(self.seen[-1]), file=sys.stderr, flush=True)

    def _line(self, seen: Seen) -> str:
        return (
            f"{seen.seconds:.0f} s: {seen.done:,} of {self.n_blocks:,} blocks; {seen.tasks} tasks; "
            f"MB of scheduler {seen.scheduler_mb:.0f}, client {seen.client_mb:.0f}, a worker "
            f"{seen.worker_mb:.0f}; processor s {seen.scheduler_cpu:.0f}, {seen.client_cpu:.0f}, "
            f"{seen.workers_cpu:.0f}"
        )

    def _look(self) -> None:
        tasks = self._client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        used = [process.memory_info().rss / MB for process in self._workers]
        self.seen.append(
            Seen(
                time.perf_counter() - self._began,
                self._done,
                tasks,
                self._scheduler.memory_info().rss / MB,
                self._here.memory_info().rss / MB,
                max(used),
                _cpu(self._scheduler),
                _cpu(self._here),
                sum(map(_cpu, self._workers)),
            )
        )


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
