"""Programs that tests start and end, clients of schedulers, and an image that is denoised twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import dask.config
from distributed import Client, Security, Worker

JOIN_SECONDS = 90
"""Until workers have joined: each imports Dask, while other tests run beside."""


def until(ready: Callable[[], bool], what: str, seconds: float = JOIN_SECONDS) -> None:
    end = time.monotonic() + seconds
    pause = Event()
    while not ready():
        assert time.monotonic() < end, f"{what} took more than {seconds} s"
        pause.wait(0.05)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Programs:
    """Programs that a test starts, each with its own group of processes, all ended by `close`.

    Parameters
    ----------
    folder : Path
        Where they run, and what they say goes.
    env : mapping of str to str
        Added to this process's environment.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = environment(env)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str | Path) -> subprocess.Popen[bytes]:
        number = len(self._started)
        with (
            (self.folder / f"{number}.out").open("wb") as out,
            (self.folder / f"{number}.err").open("wb") as err,
        ):
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def run(self, *command: str | Path, seconds: float = 240) -> str:
        """Run to the end and return standard output."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}\n{self.said()}"
        return done.stdout

    def output(self, process: subprocess.Popen[bytes]) -> str:
        """What a program wrote to standard output so far."""
        return (self.folder / f"{self._started.index(process)}.out").read_text("utf-8")

    def said(self) -> str:
        """The last lines of all programs, for a message."""
        files = sorted([*self.folder.glob("*.err"), *self.folder.glob("*.out")])
        return "\n".join(f"{path.name}: {path.read_text('utf-8')[-2000:]}" for path in files)

    def close(self) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, in which the commands of this Python come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **added}


@contextmanager
def connected(address: str, n_workers: int, security: Security | None = None) -> Iterator[Client]:
    """A client of a scheduler, when so many workers are there."""
    with Client(address, timeout=JOIN_SECONDS, set_as_default=False, security=security) as client:
        client.wait_for_workers(n_workers, timeout=JOIN_SECONDS)
        yield client


def seen_by_workers(client: Client) -> list[dict[str, Any]]:
    """What each worker was told."""

    def seen(dask_worker: Worker) -> dict[str, Any]:
        # within a function, so that it goes by value: workers have no tests
        return {
            "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "threads": dask_worker.state.nthreads,
            "memory limit": dask_worker.memory_manager.memory_limit,
            "ends processes": dask.config.get("distributed.worker.memory.terminate"),
            "folder": Path(dask_worker.local_directory),
        }

    return list(client.run(seen).values())


@dataclass(frozen=True)
class Denoised:
    """An image in a file, and what one process makes of it.

    Parameters
    ----------
    image, result : Path
        Zarr array and OME-Zarr.
    """

    image: Path
    result: Path

    def command(self, output: Path) -> list[str | Path]:
        """The command line, without a cluster."""
        settings = ["--model", "builtin:denoise2d", "--patch-size", "128", "--progress", "none"]
        return ["napari-tessera", "predict", self.image, output, "--axes", "ZYX", *settings]

    def is_made_again(self, output: Path) -> bool:
        """Whether all levels have the same bytes elsewhere."""
        mine, others = contents(self.result), contents(output)
        assert len(mine) > 3
        return mine == others


def contents(result: Path) -> dict[str, bytes]:
    """Bytes of each file of the levels of an OME-Zarr."""
    return {
        str(path.relative_to(result)): path.read_bytes()
        for level in result.glob("[0-9]*")
        for path in sorted(level.rglob("*"))
        if path.is_file()
    }
