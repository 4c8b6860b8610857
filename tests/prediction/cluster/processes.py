"""A scheduler and workers as people start them: processes of their own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

START_SECONDS = 60.0


class DaskProcess:
    """A ``dask scheduler`` or ``dask worker``.

    Parameters
    ----------
    words : sequence of str
        What stands behind ``dask``.
    ready : str
        What it writes when it is there.
    env : mapping of str to str, optional
        Further variables of its environment.
    """

    def __init__(
        self, words: Sequence[str], ready: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.log: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **(env or {})},
        )
        self._rest = b""
        try:
            self.line = self.wait_for(ready)
        except BaseException:
            self.kill()
            raise

    def wait_for(self, text: str) -> str:
        """Read what it writes up to a line with a text."""
        pipe = self._process.stderr
        assert pipe is not None
        while True:
            there, _, _ = select.select([pipe], [], [], START_SECONDS)
            part = os.read(pipe.fileno(), 4096) if there else b""
            if not part:
                raise AssertionError(f"no {text!r} in:\n" + "\n".join(self.log))
            *lines, self._rest = (self._rest + part).split(b"\n")
            self.log += [line.decode() for line in lines]
            for line in self.log[-len(lines) :] if lines else ():
                if text in line:
                    return line

    def pause(self) -> None:
        """Have it stand still, as where its computer stalls."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def start_scheduler(*words: str, env: Mapping[str, str] | None = None) -> tuple[DaskProcess, str]:
    """Start a scheduler on any free port; it, and its address."""
    process = DaskProcess(
        ["dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *words],
        "Scheduler at:",
        env,
    )
    return process, process.line.split("Scheduler at:")[1].strip()


def start_worker(
    address: str, folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> DaskProcess:
    """Start a worker without a nanny, of one process."""
    words = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--memory-limit", "0", *words)
    return DaskProcess(
        ["dask_worker", address, "--local-directory", str(folder), *words],
        "Registered to:",
        env,
    )
