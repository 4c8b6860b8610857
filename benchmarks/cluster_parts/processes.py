"""A scheduler and workers, each a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

START_SECONDS = 60


class Processes:
    """Started by ``with``, ended behind it.

    Parameters
    ----------
    folder : pathlib.Path
        Where they keep their files.
    workers : int
        Worker processes, of one thread each.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.workers = workers
        self.address = ""
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Processes:
        file = self.folder / "scheduler.json"
        try:
            self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file)
            end = time.monotonic() + START_SECONDS
            while not (file.exists() and file.stat().st_size):
                if time.monotonic() > end or self._started[0].poll() is not None:
                    raise RuntimeError("the scheduler does not start")
                Event().wait(0.1)
            self.address = json.loads(file.read_text("utf-8"))["address"]
            for _ in range(self.workers):
                self._start(
                    *("worker", self.address, "--host", "127.0.0.1", "--nthreads", "1"),
                    *("--memory-limit", "0", "--local-directory", self.folder),
                )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            process.terminate()
        for process in self._started:
            process.wait(START_SECONDS)

    @property
    def scheduler(self) -> int:
        """Its process's number."""
        return self._started[0].pid

    @property
    def nannies(self) -> list[int]:
        """Of the processes that watch over workers."""
        return [process.pid for process in self._started[1:]]

    def _start(self, *words: str | Path) -> None:
        command = [sys.executable, "-m", "dask", *map(str, words), "--no-dashboard"]
        # as local clusters have it, and docs/recipes/dask.yaml
        env = {**os.environ, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
        log = (self.folder / "dask.log").open("ab")
        with log:
            self._started.append(
                subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=env)
            )
