"""The run of one block: the ordinary run over its part of the image, of which it is written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from napari_tessera.prediction.block_writer import BlockWriter
from napari_tessera.prediction.pipeline import Progress, run_prediction
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.read_block import read_block
from napari_tessera.prediction.run_facts import coverage_of
from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.absent import absent_chunks
from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.chunks.overflow import Overflow
from napari_tessera.writing.stored.block_cut import BlockCut
from napari_tessera.writing.stored.block_ledger import BlockEntry
from napari_tessera.writing.stored.block_levels import level_blocks, write_level_block
from napari_tessera.writing.stored.block_target import BlockTarget
from napari_tessera.writing.stored.coming import in_larger, on_disk

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

__all__ = [
    "BlockResult",
    "BlockTask",
    "level_blocks",
    "predict_block",
    "stored_plan",
    "write_level_block",
]


@dataclass(frozen=True)
class BlockResult:
    """How the run of a block ended.

    Parameters
    ----------
    number : int
        Of the block.
    completed : bool
        Whether all of it is stored and entered (False after a cancel).
    tiles : int
        Tiles that it owns.
    clipped : int
        Its pixels that were clipped to the output's data type.
    nonfinite : int
        Input pixels of the tiles that it owns that are NaN or infinite.
    absent_chunks : int
        Chunks of the image that were met for the first time since it was opened, and are not in
        its store.
    seconds : float
        How long it took.
    notices : tuple of str
        What people should know of how it ran, one line each.
    """

    number: int
    completed: bool
    tiles: int
    clipped: int
    nonfinite: int
    absent_chunks: int
    seconds: float
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class BlockTask:
    """All that is the same for every block of a run on one worker.

    Parameters
    ----------
    plan : PredictionPlan
        The plan of the whole run; see `stored_plan`.
    stack : ImageStack
        The image, open, nothing folded.
    model : Model or ChannelModels
        The model that the plan was made for, in the plan's precision.
    target : BlockTarget
        Where blocks are written.
    memory_limit : int
        Bytes of begun chunks to keep in memory.
    scratch : str, optional
        Folder of the temporary file for those that are more; default: the system's.
    """

    plan: PredictionPlan
    stack: ImageStack
    model: Model | ChannelModels
    target: BlockTarget
    memory_limit: int = DEFAULT_MEMORY_LIMIT
    scratch: str | None = None

    @property
    def cut(self) -> BlockCut:
        """The blocks."""
        return self.target.cut

    @cached_property
    def coverage(self) -> Coverage | None:
        """What of the array on disk comes; None where no tile is skipped."""
        coverage = coverage_of(self.plan)
        if coverage is None:
            return None
        image = self.target.image
        return on_disk(in_larger(coverage, self.plan.region, image.region), image.order)


def stored_plan(target: BlockTarget) -> PredictionPlan:
    """The plan of the run that an image was begun for.

    Raises
    ------
    PlanError
        If it cannot be read.
    """
    return PredictionPlan.from_json(json.dumps(target.image.stored["plan"]))


def predict_block(
    task: BlockTask,
    number: int,
    *,
    cancel: Event | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BlockResult:
    """Predict a block, store its pixels, and enter it.

    What is stored of it are the bytes that a run over everything stores there. Nothing of smaller
    levels is written. May be called again for a block that was begun, or is done.

    Parameters
    ----------
    task : BlockTask
        What is the same for all blocks.
    number : int
        Of the block.
    cancel : threading.Event, optional
        Looked at between batches. A block that was cancelled is not entered.
    progress : callable, optional
        Called, from threads of the engine, with the number of tiles of the block that are predicted
        so far, and of all that meet it.

    Returns
    -------
    BlockResult

    Raises
    ------
    StoreBusyError
        If the image is another run's by now.
    Exception
        Whatever reading, the model or writing raises; nothing is entered then.
    """
    since = time.perf_counter()
    absent = absent_chunks(task.stack)
    stop = cancel or Event()
    task.target.check()
    with closing(Overflow(task.scratch)) as overflow:
        writer = BlockWriter(
            task.plan, task.target, number, task.coverage, task.memory_limit, overflow
        )
        completed, notices = _predict(task, number, writer, stop, progress)
        completed = completed and writer.copy(partial(read_block, task.stack), stop)
        if completed:
            writer.finish()
    if completed:
        entry = BlockEntry(1, writer.owned, writer.clipped, writer.nonfinite)
        task.target.enter(number, entry)
    return BlockResult(
        number,
        completed,
        writer.owned,
        writer.clipped,
        writer.nonfinite,
        absent_chunks(task.stack) - absent,
        time.perf_counter() - since,
        notices,
    )


def _predict(
    task: BlockTask,
    number: int,
    writer: BlockWriter,
    cancel: Event,
    progress: Callable[[int, int], None] | None,
) -> tuple[bool, tuple[str, ...]]:
    """Predict the tiles that meet a block; whether all were, and what people should know."""
    plans = [plan for part in task.cut.regions(number) if (plan := task.plan.over(part))]
    total, before, notices = sum(plan.total_tiles for plan in plans), 0, dict[str, None]()
    for plan in plans:
        tell = None if progress is None else partial(_tell, progress, before, total)
        result = run_prediction(
            plan, task.stack, task.model, writers=[(writer, Path())], cancel=cancel, progress=tell
        )
        before += plan.total_tiles
        notices.update(dict.fromkeys(result.notices))
        if not result.completed:
            return False, tuple(notices)
    return True, tuple(notices)


def _tell(progress: Callable[[int, int], None], before: int, total: int, now: Progress) -> None:
    progress(before + now.done, total)
