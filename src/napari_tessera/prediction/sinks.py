"""All writers of a run as one: opened, fed and closed together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.prediction.cores import usable_cores
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.run_facts import run_info
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.stacks import ImageStack
from napari_tessera.writing import ImageRegionData, RunInfo, WriteStrategy
from napari_tessera.writing.chunks.workers import Workers

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

MOST_WRITER_THREADS = 4
"""More would wait for the disk, or for the thread that puts tiles together."""


def writer_threads(cores: int | None = None) -> int:
    """Threads that pack and store: one core is left to the window, as many are to the model.

    Parameters
    ----------
    cores : int, optional
        Cores that this process may use; default: `usable_cores`.
    """
    cores = usable_cores() if cores is None else cores
    return max(1, min((cores - 1) // 2, MOST_WRITER_THREADS))


class Sinks:
    """The writers of a run.

    Parameters
    ----------
    plan : PredictionPlan
        The plan that is run.
    stack : ImageStack
        The image, nothing folded.
    model : Model or ChannelModels
        The model that predicts.
    writers : sequence of (WriteStrategy, path)
        The writers and the folders they write below.
    schedule : Schedule
        Knows which tiles are done already.
    resume : bool
        Whether writers go on with what is there.
    busy : callable
        Told ``("write", start)`` after each write, for the stage times.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        stack: ImageStack,
        model: Model | ChannelModels,
        writers: Sequence[tuple[WriteStrategy, str | Path]],
        schedule: Schedule,
        resume: bool,
        busy: Callable[[str, float], None],
    ) -> None:
        # wherever the process works when the result is written
        self._writers = [(writer, Path(path).absolute()) for writer, path in writers]
        self._opened: list[WriteStrategy] = []
        self._busy = busy
        self._facts = partial(run_info, plan, stack, model, schedule, resume)
        self._pool: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Open the writers that want it; if one fails, close those that are open and raise.

        All are asked before whether they can be opened: none makes or deletes anything where
        another would refuse.
        """
        info = self._asked_for()
        for writer, path in self._writers:
            if info is not None and (check := getattr(writer, "check", None)) is not None:
                check(replace(info, dirpath=path))
        workers = self._begin_workers()
        try:
            for writer, path in self._writers:
                if info is not None and (open_ := getattr(writer, "open", None)) is not None:
                    open_(replace(info, dirpath=path, workers=workers))
                elif (lend := getattr(writer, "lend", None)) is not None:
                    lend(workers)
                self._opened.append(writer)
        except BaseException as error:
            self.close(False, error)
            raise

    def _asked_for(self) -> RunInfo | None:
        """What writers are told; None where none asks.

        It holds the whole plan, with numbers for each plane of the image, and takes as long as many
        tiles: the writer of a block, of which a run may have 100,000, does without.
        """
        asking = any(
            hasattr(writer, name) for writer, _ in self._writers for name in ("check", "open")
        )
        return self._facts() if asking else None

    def _begin_workers(self) -> Workers | None:
        n_threads = writer_threads()
        if not self._writers or n_threads == 1:
            # one alone is the thread that calls the writers
            return None
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix="tessera-pack")
        return Workers(self._pool, n_threads)

    def write(self, regions: list[ImageRegionData]) -> None:
        """Hand predicted cores to every writer."""
        since = time.perf_counter()
        for writer, path in self._writers:
            writer.write_batch(path, regions)
        self._busy("write", since)

    def close(self, completed: bool, error: BaseException | None = None) -> None:
        """Close all opened writers, whatever one of them raises.

        Parameters
        ----------
        completed : bool
            Whether every tile was written.
        error : BaseException, optional
            What ended the run. It comes first: errors of closing are added to it as notes and
            raised only where there is none.
        """
        try:
            self._close(completed, error)
        finally:
            if self._pool is not None:
                self._pool.shutdown()

    def _close(self, completed: bool, error: BaseException | None) -> None:
        first = error
        for writer in self._opened:
            if (close := getattr(writer, "close", None)) is None:
                continue
            try:
                close(completed)
            except Exception as closing:
                if first is None:
                    first = closing
                else:
                    first.add_note(f"and on closing {type(writer).__name__}: {closing}")
        self._opened.clear()
        if first is not None and error is None:
            raise first
