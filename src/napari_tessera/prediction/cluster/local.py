"""A cluster of processes of this computer."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from threading import Event, Thread
from typing import Any

from napari_tessera.prediction.cluster.errors import dask_distributed
from napari_tessera.prediction.cores import MOST_THREADS, usable_cores

NAME = "napari-tessera"
"""What the cluster is called."""

TRIMMING = "MALLOC_TRIM_THRESHOLD_"
"""What tells glibc when memory is given back; Dask sets it for its workers."""

CLOSE_SECONDS = 30.0
"""How long processes may take to start, or to end, once all is over."""


LOST_SECONDS = 24 * 3600.0
"""How long a process that died may take to be there again: a busy computer needs its time."""


def is_local(client: Any) -> bool:
    """Whether a client's cluster is one of `start_local`'s."""
    return getattr(client.cluster, "name", None) == NAME


@dataclass(frozen=True)
class LocalSize:
    """How many processes there are, and how each computes.

    Parameters
    ----------
    workers : int
        Processes.
    threads_per_worker : int
        Threads of the model in each.
    gpus : tuple of str
        Where there are GPUs: which one each process sees, as ``CUDA_VISIBLE_DEVICES`` names it.
    """

    workers: int
    threads_per_worker: int
    gpus: tuple[str, ...] = ()


def local_size(
    workers: int | None = None,
    threads_per_worker: int | None = None,
    *,
    n_cores: int | None = None,
    gpus: Sequence[str] | None = None,
) -> LocalSize:
    """Decide what was left open: one process a GPU, without GPUs half as many as there are cores.

    Parameters
    ----------
    workers, threads_per_worker : int, optional
        What is asked for.
    n_cores : int, optional
        Cores that may be used; default: those of this process.
    gpus : sequence of str, optional
        GPUs; default: those that CUDA sees here.

    Raises
    ------
    ValueError
        If a number is below 1, or beyond all that one computer has.
    """
    for name, value in (("workers", workers), ("threads per worker", threads_per_worker)):
        if value is not None and (isinstance(value, bool) or value < 1):
            raise ValueError(f"{name} {value} is below 1; use 1 or more")
        if value is not None and value > MOST_THREADS:
            raise ValueError(f"{name} {value} is above {MOST_THREADS}; use fewer")
    n_cores = usable_cores() if n_cores is None else n_cores
    gpus = visible_gpus() if gpus is None else tuple(gpus)
    if workers is None:
        workers = len(gpus) or max(1, n_cores // 2)
    if threads_per_worker is None:
        threads_per_worker = max(1, n_cores // workers)
    # more processes than GPUs share them in turn
    shared = tuple(gpus[n % len(gpus)] for n in range(workers)) if gpus else ()
    return LocalSize(workers, threads_per_worker, shared)


def visible_gpus() -> tuple[str, ...]:
    """Names of the CUDA GPUs of this process, as ``CUDA_VISIBLE_DEVICES`` takes them."""
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    named = [name for name in named if name]
    if len(named) >= n_gpus:
        return tuple(named[:n_gpus])
    return tuple(str(n) for n in range(n_gpus))


def start_local(size: LocalSize) -> Any:
    """Start the processes; the cluster must be closed.

    No dashboard, no limit of memory by which Dask would end a process, nothing listens but on this
    computer's own address. What Dask says of processes that end is kept from the terminal: the run
    tells it.

    Returns
    -------
    distributed.SpecCluster
    """
    distributed = dask_distributed()
    import dask.config

    common: dict[str, Any] = {
        "nthreads": size.threads_per_worker,
        "host": "127.0.0.1",
        "protocol": "tcp://",
        "memory_limit": 0,
        "preload": "napari_tessera.prediction.cluster.undisturbed",
        "dashboard": False,
        "dashboard_address": None,
        "silence_logs": logging.CRITICAL,
    }
    # A process that died is started anew, and Dask gives that 15 s: then it ends who starts it, for
    # good. It is asked for where the worker goes missing, so it stays set.
    dask.config.set({"distributed.deploy.lost-worker-timeout": f"{LOST_SECONDS:g}s"})
    # Dask would look a hundred times a second at what threads of workers do, and keep that; and
    # fifty times at how late its loop is: an idle worker took 2% of a core for it, and takes 1%
    quiet = {
        "distributed": {
            "worker": {"profile": {"enabled": False}},
            "admin": {"tick": {"interval": "500ms"}},
        }
    }
    config = dask.config.merge(dask.config.config, quiet)
    workers = {}
    for n in range(size.workers):
        env = {"CUDA_VISIBLE_DEVICES": size.gpus[n]} if size.gpus else {}
        workers[n] = {"cls": distributed.Nanny, "options": {**common, "env": env, "config": config}}
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {
            "host": "127.0.0.1",
            "protocol": "tcp://",
            "port": 0,
            "dashboard": False,
            # what it serves beside a dashboard would be on port 8787 of every network
            "dashboard_address": "127.0.0.1:0",
        },
    }

    def start() -> Any:
        # Dask has workers give memory back at once, for which each layer of a network pays with
        # page faults: it takes 1.5 times as long then.
        with dask.config.set({f"distributed.nanny.pre-spawn-environ.{TRIMMING}": None}):
            return distributed.SpecCluster(
                workers=workers,
                scheduler=scheduler,
                silence_logs=logging.CRITICAL,
                name=NAME,
            )

    return _started(start)


def close_local(cluster: Any) -> None:
    """End the processes; those that do not end in time are ended with this one."""
    with suppress(TimeoutError):
        cluster.close(timeout=CLOSE_SECONDS)


def _started(start: Callable[[], Any]) -> Any:
    """Start in a thread of its own: what a signal raises here does not leave it half done."""
    made: list[Any] = []
    failed: list[BaseException] = []
    # not joined: a thread whose joining a signal broke off counts as ended
    through = Event()

    def run() -> None:
        try:
            _keep_signals_from_children()
            made.append(start())
        except BaseException as error:
            failed.append(error)
        finally:
            through.set()

    Thread(target=run, name="tessera-local", daemon=True).start()
    try:
        through.wait()
    except BaseException:
        through.wait(CLOSE_SECONDS)
        for cluster in made:
            close_local(cluster)
        raise
    if failed:
        raise failed[0]
    return made[0]


def _keep_signals_from_children() -> None:
    """Have what this thread starts, threads and processes, not hear Ctrl+C, also at their start.

    A terminal sends it to all of its processes; those here are ended by who started them.
    """
    if sys.platform != "win32":
        # else this starts later, and lets the signal through again
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
