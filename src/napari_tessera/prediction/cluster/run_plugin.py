"""A run on a worker, from when it is told of it until the run, or the client, is gone."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin

from napari_tessera.prediction.cluster.words import FIT, PREPARING, Look, RunSpec
from napari_tessera.stacks.checks import error_line

if TYPE_CHECKING:
    from distributed import Worker

    from napari_tessera.prediction.cluster.worker_side import WorkerSide

WATCH_SECONDS = 0.2
"""How often a worker looks whether what it is at work on is still wanted."""

LEASE_SECONDS = 600.0
"""How long a run that nobody asks about any more is kept: its client is gone."""

_WANTED = ("executing", "long-running")


def run_plugin_name(run: str) -> str:
    """What a worker knows a run as."""
    return f"napari-tessera-run-{run}"


class RunPlugin(WorkerPlugin):
    """Lets a worker take part in a run: opens the image, loads the model, then offers itself.

    It offers itself by a Dask resource, which each task of a run asks for one of: so one block at a
    time is predicted in a process, however many threads Dask gives it, and only where all is ready.

    Parameters
    ----------
    spec : RunSpec
        The run.
    """

    def __init__(self, spec: RunSpec) -> None:
        self.name = run_plugin_name(spec.name)
        self.spec = spec

    async def setup(self, worker: Worker) -> None:
        """Begin to prepare, in a thread: the worker goes on with what else it does."""
        from napari_tessera.prediction.cluster.worker_side import WorkerSide

        self._worker: Any = worker
        self.side: WorkerSide = WorkerSide(self.spec, worker)
        self._asked = time.monotonic()
        self._offered = False
        self._tasks = [asyncio.create_task(self._prepare()), asyncio.create_task(self._watch())]

    async def teardown(self, worker: Worker) -> None:
        """Stop what is at work; image and model are let go of when it has ended."""
        for task in self._tasks:
            task.cancel()
        self.side.end()

    def look(self) -> Look:
        """How the worker stands; that somebody asks says that the run is wanted."""
        self._asked = time.monotonic()
        look = self.side.look()
        # the scheduler gives it no block before
        return look if self._offered or look.state != FIT else replace(look, state=PREPARING)

    async def _prepare(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.side.prepare)
        if self.side.state != FIT:
            return
        try:
            await self._worker.set_resources(**{self.spec.resource: 1})
            self._offered = True
        except Exception as error:
            # without it the scheduler gives this worker no block, and the run would wait for it
            self.side.refuse(
                f"cannot offer itself to the scheduler ({error_line(error)}): start it anew"
            )

    async def _watch(self) -> None:
        """Stop blocks that nobody waits for any more, and the run itself when it is forgotten."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for key in self.side.keys_at_work():
                task = self._worker.state.tasks.get(key)
                if task is None or task.state not in _WANTED:
                    self.side.stop(key)
            if time.monotonic() - self._asked > LEASE_SECONDS:
                # not from this task, which that ends
                self._ending = asyncio.create_task(self._worker.plugin_remove(name=self.name))
                return
