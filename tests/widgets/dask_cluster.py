"""A real scheduler with real worker processes, started as people do from a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

START_SECONDS = 120


@dataclass
class Cluster:
    """A scheduler's address and its processes."""

    address: str
    folder: Path
    processes: list[subprocess.Popen[bytes]]

    def add_worker(self, *, threads: int = 1) -> subprocess.Popen[bytes]:
        """Start a worker process; it joins by itself."""
        number = len(self.processes)
        words = ["dask_worker", self.address, "--no-dashboard", "--no-nanny", "--nthreads"]
        # what takes long to load is there before anything is measured or waited for
        words += [str(threads), "--preload", "napari_tessera.prediction.block_run"]
        words += ["--local-directory", str(self.folder / f"w{number}")]
        self.processes.append(_start(words))
        return self.processes[-1]

    def wait_for_workers(self, n: int) -> list[str]:
        """Wait until so many are there; gives their addresses."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(n, timeout=START_SECONDS)
            return list(client.scheduler_info(n_workers=-1)["workers"])

    def end(self) -> None:
        """Let all of it go: their folders are the test's own, so that nobody need tidy up."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    module, *arguments = words
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def start_cluster(folder: Path, n_workers: int, *scheduler_options: str) -> Cluster:
    """Start a scheduler and workers, as people do from a terminal."""
    file = folder / "scheduler.json"
    words = ["dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    process = _start([*words, "--scheduler-file", str(file), *scheduler_options])
    told: Any = None
    never, looks = Event(), round(START_SECONDS / 0.05)
    while told is None:
        assert process.poll() is None
        looks -= 1
        assert looks > 0
        never.wait(0.05)
        try:
            told = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
    cluster = Cluster(str(told["address"]), folder, [process])
    for _ in range(n_workers):
        cluster.add_worker()
    if n_workers:
        cluster.wait_for_workers(n_workers)
    return cluster
