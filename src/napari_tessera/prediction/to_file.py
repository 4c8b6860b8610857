"""Predictions into a file that is written at the end; until then they are in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from math import prod
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import psutil

from napari_tessera.prediction.pipeline import Progress, RunResult, run_prediction
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.read_block import read_block
from napari_tessera.prediction.run_facts import about_model
from napari_tessera.prediction.written import Written, written_file
from napari_tessera.region import Region
from napari_tessera.stacks import read_metadata
from napari_tessera.writing import ArrayWriter, WriteStrategy, fill_value, format_named, to_dtype
from napari_tessera.writing.files.any_format import write_file
from napari_tessera.writing.files.partial import lock_file
from napari_tessera.writing.region_metadata import region_metadata
from napari_tessera.writing.stored.copied_channels import (
    copied_blocks,
    copied_channels,
    with_all_channels,
)
from napari_tessera.writing.stored.run_attributes import made_by
from napari_tessera.writing.stored.scratch import ScratchTiles, scratch_store


def predict_to_file(
    plan: PredictionPlan,
    stack: Any,
    model: Any,
    path: Path,
    *,
    format: str,
    compression: str | None,
    copy_channels: bool,
    overwrite: bool,
    memory_limit: int | None,
    writers: Sequence[tuple[WriteStrategy, str | Path]],
    progress: Callable[[Progress], None] | None,
    cancel: Event | None,
    written: Callable[[Written], None] | None,
) -> RunResult:
    """Predict everything, then write it; nothing is written after a cancel or an error.

    Parameters
    ----------
    plan, stack, model
        What is predicted.
    path : pathlib.Path
        The file.
    format, compression : str, str or None
        As for `write_file`.
    copy_channels : bool
        Keep channels of the image that the region leaves out (see `copied_channels`).
    overwrite : bool
        Replace a file that is there.
    memory_limit : int or None
        Bytes of the result that may stay in memory; None for half of what is free. A larger one
        waits in a Zarr array in a hidden folder beside the file.
    writers, progress, cancel
        As for `run_prediction`.
    written : callable or None
        Told what the file holds, once it is there.
    """
    others = copied_channels(plan.layout, plan.region) if copy_channels else ()
    area = with_all_channels(plan.region) if others else plan.region
    # before anything is predicted: of two runs into one file the second is refused at once
    lock = lock_file(path)
    with lock or nullcontext(), _room(plan, area, path, memory_limit) as (array, writer):
        result = run_prediction(
            plan,
            stack,
            model,
            writers=[(writer, path.parent), *writers],
            cancel=cancel,
            progress=progress,
        )
        if result.completed:
            clipped = writer.clipped_pixels + _copy(array, area, others, stack)
            metadata = read_metadata(stack).with_axes(area.axes)
            write_file(
                path,
                array,
                axes=area.axes,
                metadata=region_metadata(metadata, area),
                format=format,
                compression=compression,
                made_by=made_by(
                    plan.to_dict(), plan.fingerprint, about_model(model), clipped_pixels=clipped
                ),
                overwrite=overwrite,
                lock=lock,
            )
            if written is not None:
                written(written_file(format_named(format), area, array.dtype, clipped))
        return result


@contextmanager
def _room(
    plan: PredictionPlan, area: Region, path: Path, memory_limit: int | None
) -> Iterator[tuple[Any, ArrayWriter | ScratchTiles]]:
    """An array for the result, in memory or in a scratch folder beside its file, and its writer."""
    dtype = np.dtype(plan.output_dtype)
    limit = psutil.virtual_memory().available // 2 if memory_limit is None else memory_limit
    if prod(area.selected_shape) * dtype.itemsize <= limit:
        array = np.full(area.selected_shape, fill_value(dtype), dtype)
        yield array, ArrayWriter(array, area)
        return
    with scratch_store(path) as store:
        scratch = ScratchTiles(store, plan.layout, area, dtype)
        yield scratch.array, scratch


def _copy(array: Any, area: Region, channels: Sequence[int], stack: Any) -> int:
    """Bring channels that are not predicted over, a plane or a chunk at a time; count clipped."""
    clipped = 0
    if not channels:
        return clipped
    lengths = dict(zip(area.axes, getattr(array, "chunks", array.shape), strict=True))
    block = {letter: lengths[letter] for letter in "YX"}
    for target, pixels in copied_blocks(area, channels, block, partial(read_block, stack)):
        array[target], n_clipped = to_dtype(pixels, array.dtype)
        clipped += n_clipped
    return clipped
