"""What writers are told of a run: gathered from plan, image and model."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera import models
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.read_block import read_block
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.stacks import ImageStack, read_metadata, read_origins
from napari_tessera.writing import RunInfo
from napari_tessera.writing.chunks.coverage import Coverage

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

MOST_FILES = 500
"""Files of an image whose sizes and times are stored, so that no attribute grows without end."""


def run_info(
    plan: PredictionPlan,
    stack: ImageStack,
    model: Model | ChannelModels,
    schedule: Schedule,
    resume: bool,
) -> RunInfo:
    """Gather what a writer may know before the first tile comes.

    Parameters
    ----------
    plan : PredictionPlan
        The plan that is run.
    stack : ImageStack
        The image, nothing folded.
    model : Model or ChannelModels
        The model that the plan was made for.
    schedule : Schedule
        Knows which tiles are done already.
    resume : bool
        Whether writers go on with what is there.
    """
    origins = read_origins(stack)
    return RunInfo(
        layout=plan.layout,
        region=plan.region,
        metadata=read_metadata(stack),
        source=str(stack.source),
        origins=origins,
        input_files=file_facts(origins),
        output_dtype=np.dtype(plan.output_dtype),
        total_tiles=plan.total_tiles,
        patch_size=plan.patch_size,
        overlaps=plan.overlaps,
        tile_index_block=plan.tiles.block,
        plan=plan.to_dict(),
        fingerprint=plan.fingerprint,
        resume=resume,
        done=schedule.done_mask() if schedule.n_done else None,
        model=about_model(model),
        input_dtype=plan.input_dtype,
        input_fingerprint=plan.input_fingerprint,
        source_chunks=_lengths(stack, "chunks"),
        source_shards=_lengths(stack, "shards"),
        read_input=partial(read_block, stack),
        predict_again=schedule.again,
        skipped=plan.skipped,
        coverage=coverage_of(plan),
    )


def coverage_of(plan: PredictionPlan) -> Coverage | None:
    """What of an array of the region's shape comes; None where no tile is skipped."""
    tiles, region = plan.tiles, plan.region
    if tiles.kept is None:
        return None
    letters = "".join(letter for letter in region.axes if letter in tiles.axes)
    along = dict(zip(tiles.axes, tiles.cells, strict=True))
    cuts = []
    for letter, size in zip(region.axes, region.selected_shape, strict=True):
        if letter in plan.layout.spatial_axes:
            cells = along[letter]
            ends = np.array([cells[0][0], *(stop for _, stop in cells)])
            cuts.append(ends - ends[0])
        else:
            # each sample by itself; of channels that a model makes together all or none come
            cuts.append(np.arange(size + 1) if letter in letters else np.array([0, size]))
    kept = tiles.kept.over(tiles.axes).transpose([tiles.axes.index(each) for each in letters])
    sizes = dict(zip(letters, kept.shape, strict=True))
    return Coverage(tuple(cuts), kept.reshape([sizes.get(letter, 1) for letter in region.axes]))


def file_facts(origins: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Size in bytes and time of change in ns of files, by path; at most `MOST_FILES` of them.

    Folders, as of Zarr, tell nothing of what is in them and are left out.
    """
    facts: dict[str, tuple[int, int]] = {}
    for path in islice(origins, MOST_FILES):
        # one that is gone is told by whoever reads it
        with suppress(OSError):
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                facts[str(path)] = (found.st_size, found.st_mtime_ns)
    return facts


def about_model(model: Model | ChannelModels) -> dict[str, Any]:
    """Name, SHA-256 and licence of a model; of models for channels each one's below ``channels``.

    The licence is None where the model's file names none.
    """
    if isinstance(model, models.ChannelModels):
        return {
            "name": model.name,
            "sha256": model.sha256,
            "channels": {str(channel): about_model(own) for channel, own in model.models.items()},
        }
    return {
        "name": model.name,
        "sha256": model.sha256,
        "licence": model.loaded.about.licence,
    }


def _lengths(stack: ImageStack, name: str) -> tuple[int, ...] | None:
    """Lengths along each of the image's own axes, where a stack has such."""
    lengths = getattr(stack, name, None)
    return None if not lengths else tuple(int(length) for length in lengths)
