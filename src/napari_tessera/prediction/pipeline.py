"""Readers, model and writers at work at once, each a bounded number of batches ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING

import numpy as np

from napari_tessera.prediction.batches import WRITE, Batches, Clock
from napari_tessera.prediction.failed_block import FailedBlock
from napari_tessera.prediction.joining import Predicted
from napari_tessera.prediction.out_of_memory import Notices
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.progress import Progress, Tally
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.prediction.sinks import Sinks
from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.absent import absent_chunks
from napari_tessera.writing import ImageRegionData, WriteStrategy

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

__all__ = ["Progress", "RunResult", "iter_predictions", "room_for_batches", "run_prediction"]

WRITE_QUEUE = 8
"""Predicted batches that may wait for the writers at most."""

WRITE_QUEUE_BYTES = 64 * 2**20
"""What these may take together; one may wait also where it is larger."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Parameters
    ----------
    completed : bool
        Whether every tile of the plan is finished (False after a cancel).
    n_done, total : int
        Tiles finished, those of earlier runs included, and tiles of the plan.
    nonfinite : int
        Input pixels of this run that were NaN or infinite.
    seconds : float
        How long the run took.
    absent_chunks : int
        Chunks of the image, met since it was opened, that are not in its store and were read as
        the fill value (see `ZarrStack.absent_chunks`).
    notices : tuple of str
        What people should know of how it ran, one line each: that memory ran out, and what was
        done then.
    failed_blocks : tuple of FailedBlock
        Of a run on a cluster: parts that failed again and again, with their tiles, while the rest
        was finished.
    """

    completed: bool
    n_done: int
    total: int
    nonfinite: int
    seconds: float
    absent_chunks: int = 0
    notices: tuple[str, ...] = ()
    failed_blocks: tuple[FailedBlock, ...] = ()


def iter_predictions(
    plan: PredictionPlan,
    stack: ImageStack,
    model: Model | ChannelModels,
    *,
    schedule: Schedule | None = None,
    cancel: Event | None = None,
) -> Iterator[ImageRegionData]:
    """Predict tile by tile; the model runs in the thread that asks for the next tile.

    Parameters
    ----------
    plan : PredictionPlan
        What to predict.
    stack : ImageStack
        The image, as opened (nothing folded).
    model : Model or ChannelModels
        The model that the plan was made for.
    schedule : Schedule, optional
        Order of the tiles, and which are done. Default: all, in chunk order.
    cancel : threading.Event, optional
        Looked at between batches and between the flips of a tile; once set, nothing further starts.

    Yields
    ------
    ImageRegionData
        One cropped core, ``C(Z)YX`` of the folded image: float32, or float64 where the output
        can hold more.

    Raises
    ------
    Exception
        Whatever reading or the model raises, as it is.
    """
    schedule = schedule or Schedule(plan.tiles)
    batches = Batches(plan, stack, model, schedule, cancel or Event(), Clock())
    try:
        with closing(iter(batches)) as it:
            for batch in it:
                if isinstance(batch, list):
                    for predicted in batch:
                        yield predicted.region
                        schedule.finish(predicted.index)
    finally:
        schedule.release()


class _WriterThread:
    """Writes predicted batches in a thread of its own and finishes their tiles.

    After an error it goes on taking batches and drops them, so that the model never blocks on a
    full queue; the error is raised once, by `close`.
    """

    def __init__(
        self, sinks: Sinks, finished: Callable[[list[Predicted]], None], room: int
    ) -> None:
        self._sinks = sinks
        self._finished = finished
        self._queue: Queue[list[Predicted] | None] = Queue(room)
        self.error: BaseException | None = None
        self.failed: tuple[int, ...] = ()
        """Tiles that were being written when an error came."""
        self._thread = Thread(target=self._work, name="tessera-write", daemon=True)
        self._thread.start()

    def put(self, batch: list[Predicted]) -> None:
        self._queue.put(batch)

    def join(self) -> None:
        """Wait until everything is written, or dropped after an error."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (batch := self._queue.get()) is not None:
            if self.error is not None:
                continue
            try:
                self._sinks.write([predicted.region for predicted in batch])
                self._finished(batch)
            except BaseException as error:
                self.failed = tuple(predicted.index for predicted in batch)
                self.error = error


def room_for_batches(plan: PredictionPlan) -> int:
    """How many predicted batches may wait for the writers: 8, fewer of large tiles, at least 1.

    Parameters
    ----------
    plan : PredictionPlan
        Says how large they are: cores of float32 (float64 where the output holds more), each with
        the input that it was made of.
    """
    image = plan.layout.view_shape[1]
    if plan.layout.fold.endswith("C"):
        given = made = image
    else:
        given = image if plan.input_channels is None else len(plan.input_channels)
        made = given if plan.output_channels is None else plan.output_channels
    values = plan.settings.batch_size * (given + made) * prod(plan.patch_size)
    wide = max(4, np.dtype(plan.output_dtype).itemsize)
    return max(1, min(WRITE_QUEUE, WRITE_QUEUE_BYTES // (values * wide)))


def run_prediction(
    plan: PredictionPlan,
    stack: ImageStack,
    model: Model | ChannelModels,
    *,
    writers: Sequence[tuple[WriteStrategy, str | Path]] = (),
    schedule: Schedule | None = None,
    cancel: Event | None = None,
    progress: Callable[[Progress], None] | None = None,
    resume: bool = False,
    known: Mapping[int, ImageRegionData] | None = None,
) -> RunResult:
    """Predict all tiles of a plan and hand each to every writer.

    Reading, the model (in the calling thread; on several devices, each in a thread of its own, and
    they share the tiles) and writing overlap. After a cancel the tiles that
    are predicted are still written, and the writers closed as not completed.

    Parameters
    ----------
    plan, stack, model, schedule, cancel
        As for `iter_predictions`.
    writers : sequence of (WriteStrategy, path)
        Where predictions go; each gets every tile.
    progress : callable, optional
        Called with a `Progress` when a batch starts and when one is finished.
    resume : bool
        Whether the writers are to go on with what is there of the same plan.
    known : mapping of int to ImageRegionData, optional
        Cores that are known, by the number of their tile: they go to the writers when it is their
        turn, without reading or predicting anything. They must be of the same image, model and
        settings, but for the area, and have their input beside them, as `iter_predictions` gives
        them. Each is asked for in its turn, so that a view of a cache will do.

    Returns
    -------
    RunResult

    Raises
    ------
    Exception
        The first error of any stage, once, as it is; the other stages are stopped first.
    """
    schedule = schedule or Schedule(plan.tiles)
    stop = cancel or Event()
    clock, notices = Clock(), Notices()
    devices = [replica.device for replica in model.replicas]
    tally = Tally(schedule, stack, clock, devices, progress, notices)
    sinks = Sinks(plan, stack, model, writers, schedule, resume, clock.add)
    further = model.replicas[1:]
    tiles = Batches(plan, stack, model, schedule, stop, clock, known, notices, further)
    sinks.open()
    try:
        writer = _WriterThread(sinks, tally.finish, room_for_batches(plan))
    except BaseException as error:
        # a container may grant no thread more
        sinks.close(False, error)
        raise
    try:
        with closing(iter(tiles)) as batches:
            for batch in batches:
                if writer.error is not None:
                    break
                if isinstance(batch, list):
                    with clock.holding(WRITE):
                        writer.put(batch)
                    tally.through(tiles.at_work)
                else:
                    tally.begin(batch)
        writer.join()
    except BaseException as error:
        try:
            writer.join()
            if isinstance(error, Exception):
                with suppress(Exception):
                    tally.report(failed=writer.failed or tiles.at_work)
        finally:
            # Even if waiting is interrupted too, nothing that is held may be lost.
            schedule.release()
            sinks.close(False, error)
        raise
    schedule.release()
    completed = writer.error is None and schedule.n_done == schedule.n_wanted
    sinks.close(completed, writer.error)
    if writer.error is not None:
        with suppress(Exception):
            tally.report(failed=writer.failed)
        raise writer.error
    tally.begin(())
    return RunResult(
        completed,
        schedule.n_done,
        schedule.n_wanted,
        tally.nonfinite,
        tally.seconds,
        absent_chunks(stack),
        notices.said,
    )
