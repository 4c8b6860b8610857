"""Writes what lies in one block of an image, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.tile_io import not_finite
from napari_tessera.writing import ImageRegionData
from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.chunks.overflow import Overflow
from napari_tessera.writing.chunks.workers import Workers
from napari_tessera.writing.region_data import tile_block
from napari_tessera.writing.stored.block_target import BlockTarget
from napari_tessera.writing.stored.copied_channels import copied_blocks
from napari_tessera.writing.stored.tile_sink import TileSink


class BlockWriter:
    """A write strategy for the runs over the parts of one block, one after the other.

    Parameters
    ----------
    plan : PredictionPlan
        The plan of the whole run.
    target : BlockTarget
        The image.
    number : int
        Of the block.
    coverage : Coverage, optional
        What of the image's array comes; None for all.
    memory_limit : int
        Bytes of begun chunks to keep in memory.
    overflow : Overflow, optional
        Where those wait that are more. Nothing that is not whole is stored: another process may
        have been given the block, and be further.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        target: BlockTarget,
        number: int,
        coverage: Coverage | None = None,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
        overflow: Overflow | None = None,
    ) -> None:
        self._layout = plan.layout
        self._target = target
        self._number = number
        self._window = target.cut.window(number)
        self._of_sink = partial(
            TileSink,
            target.arrays[0],
            plan.layout,
            target.held,
            order=target.image.order,
            memory_limit=memory_limit,
            coverage=coverage,
            window=self._window,
            overflow=overflow,
        )
        self._sink = self._of_sink()
        # threads that pack end with the run that lends them
        self._one_run = len(target.cut.regions(number)) == 1 and not target.cut.copied(number)
        self._came = 0
        self.owned = 0
        """Tiles that came and that the block owns."""
        self.nonfinite = 0
        """Input pixels of these that are NaN or infinite."""
        self.clipped = 0
        """Pixels of the block that were clipped to the output's data type."""

    def lend(self, workers: Workers | None) -> None:
        """Take the threads of the run over a part, if it is the only one.

        In the place of ``open``, for which the run would put together what it is about.
        """
        if self._one_run:
            self._sink = self._of_sink(workers=workers)

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Take tiles, each once; ``dirpath`` has no meaning here."""
        self._target.look()
        for prediction in predictions:
            at = self._sink.placed(tile_block(prediction, self._layout))
            if at is None:
                continue
            if all(
                own.start <= part.start < own.stop
                for part, own in zip(at, self._window, strict=True)
            ):
                self.owned += 1
                given = prediction.additional_metadata["input"]
                self.nonfinite += int(np.count_nonzero(not_finite(given)))
            # numbers of tiles are those of the part
            self._sink.add(prediction, self._came)
            self._came += 1
        self._count()

    def copy(self, read_input: Callable[[tuple[slice, ...]], NDArray[Any]], cancel: Event) -> bool:
        """Copy the channels of the block that are not predicted; False where that was cancelled.

        Parameters
        ----------
        read_input : callable
            From slices of the whole image to its pixels.
        cancel : threading.Event
            Looked at between blocks of pixels.
        """
        channels = self._target.cut.copied(self._number)
        if not channels:
            return True
        array = self._target.arrays[0]
        disk_axes = self._target.image.order.disk_axes
        lengths = dict(zip(disk_axes, array.shards or array.chunks, strict=True))
        for within in self._target.cut.held_stretches(self._number):
            for at, pixels in copied_blocks(
                self._target.held, channels, lengths, read_input, within
            ):
                if cancel.is_set():
                    return False
                self._target.look()
                self._sink.add_pixels(at, pixels, ("copied", self._came))
                self._came += 1
                self._count()
        return True

    def finish(self) -> None:
        """Write what is held: then all of the block is stored."""
        self._target.look()
        self._sink.flush()
        self._count()

    def _count(self) -> None:
        self.clipped += sum(self._sink.take_durable().values())
