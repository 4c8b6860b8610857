"""Tiles read ahead by several threads and predicted batch by batch, in the schedule's order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.blending import Blending
from napari_tessera.prediction.inference import StoppedError, TileModel
from napari_tessera.prediction.joining import Cropping, Job, Joining, Predicted
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.prediction.tile_io import Origin, Tile, TileReader
from napari_tessera.stacks import ImageStack

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

PREFETCH = 2
"""Batches read ahead for each reader thread. More would delay a change of order."""


@dataclass
class Clock:
    """Busy seconds by stage.

    Each stage adds from one thread but the readers, which may race: a lost addition only blurs
    a figure that people see.
    """

    seconds: dict[str, float] = field(
        default_factory=lambda: {"read": 0.0, "model": 0.0, "write": 0.0}
    )

    def add(self, stage: str, since: float) -> None:
        """Count the time since then as spent in a stage."""
        self.seconds[stage] += time.perf_counter() - since


def predict_batches(
    plan: PredictionPlan,
    stack: ImageStack,
    model: Model | ChannelModels,
    schedule: Schedule,
    cancel: Event,
    clock: Clock,
) -> Generator[tuple[int, ...] | list[Predicted]]:
    """Alternate between the numbers of the tiles about to run and their predicted cores.

    Batches are read ahead by several threads and used in the order of the schedule, so that the
    number of threads never decides which tiles share a batch. After a cancel no further batch
    starts, and no further flip of the one at work; cores that then lack a flip, or a neighbour to
    be blended with, are left out.
    """
    origin = Origin.of(stack)
    joining: Joining = Cropping(plan, origin) if plan.blending == "crop" else Blending(plan, origin)
    reader = TileReader(plan, stack, model)
    size, threads = plan.settings.batch_size, plan.settings.reader_threads
    ahead: deque[tuple[Job, list[Future[list[Tile]]]]] = deque()

    def read(wanted: Sequence[tuple[int, TileSpecs]]) -> list[Tile]:
        since = time.perf_counter()
        tiles = [reader.read(index, specs) for index, specs in wanted]
        clock.add("read", since)
        return tiles

    with (
        ThreadPoolExecutor(threads, thread_name_prefix="tessera-read") as pool,
        TileModel(plan, model, cancel) as tile_model,
    ):
        predict = tile_model.whole if joining.whole else tile_model
        try:
            while not cancel.is_set():
                # A job whose tiles are all kept already reads nothing, and counts all the same.
                while sum(max(1, len(reads)) for _, reads in ahead) < PREFETCH * threads and (
                    indices := schedule.next(size)
                ):
                    job = joining.prepare(indices)
                    batches = [
                        job.missing[at : at + size] for at in range(0, len(job.missing), size)
                    ]
                    ahead.append((job, [pool.submit(read, batch) for batch in batches]))
                if not ahead:
                    return
                job, reads = ahead[0]
                tiles = reads.pop(0).result() if reads else []
                yield job.cores
                while tiles:
                    since = time.perf_counter()
                    for tile, made in zip(tiles, predict(tiles), strict=True):
                        joining.take(tile, made)
                    clock.add("model", since)
                    if reads and cancel.is_set():
                        return
                    tiles = reads.pop(0).result() if reads else []
                ahead.popleft()
                yield joining.finish(job)
        except StoppedError:
            return
        finally:
            for _, reads in ahead:
                for future in reads:
                    future.cancel()
