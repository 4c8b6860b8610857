"""What room a result takes where it is saved, and what there is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.run_facts import run_info
from napari_tessera.prediction.saving import Output
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.stacks import ImageStack
from napari_tessera.writing import RunInfo
from napari_tessera.writing.chunks.halves import plane_levels
from napari_tessera.writing.files.formats import OME_TIFF
from napari_tessera.writing.ome.metadata import check_version, zarr_format
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata
from napari_tessera.writing.stored.copied_channels import copied_channels, with_all_channels
from napari_tessera.writing.stored.image_levels import image_chunking, image_levels
from napari_tessera.writing.stored.image_store import ImageOptions

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

TILE = 512
"""Height and width of what of a TIFF is packed at once."""


@dataclass(frozen=True)
class DiskNeed:
    """Room that a result takes.

    Parameters
    ----------
    pixel_bytes : int
        Its pixels, uncompressed, with all levels; of a Zarr without tiles that are skipped.
    waiting_bytes : int
        What lies beside it until it is written: a result too large for memory.
    packs_twice : bool
        Whether the whole is there twice for a moment, as for a ZIP file.
    chunks : tuple of int
        Shape of what is packed at once: a chunk, a TIFF's tile, a plane.
    """

    pixel_bytes: int
    chunks: tuple[int, ...]
    waiting_bytes: int = 0
    packs_twice: bool = False

    def stored(self, share: float) -> int:
        """Bytes of the result, where each byte of pixels takes ``share`` bytes."""
        return round(self.pixel_bytes * share)

    def most(self, share: float) -> int:
        """Bytes that are taken at once at most."""
        return self.stored(share) * (2 if self.packs_twice else 1) + self.waiting_bytes


def disk_need(
    plan: PredictionPlan, run: RunInfo, output: Output, options: ImageOptions
) -> DiskNeed:
    """Work out what a result takes; nothing is made.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    run : RunInfo
        What `planned_run` gives.
    output : Output
        Where it goes, and as what.
    options : ImageOptions
        How an OME-Zarr is stored.
    """
    copied = copied_channels(plan.layout, plan.region) if options.copy_channels else ()
    region = with_all_channels(plan.region) if copied else plan.region
    order = OmeOrder(region.axes, region.selected_shape)
    itemsize = output.form.stored_dtype(plan.output_dtype).itemsize
    full = prod(region.selected_shape)
    share = plan.total_tiles / plan.tiles.n_tiles
    if not output.target.is_zarr:
        pixels = full
        if output.form is OME_TIFF:
            sizes = dict(zip(order.disk_axes, order.disk_shape, strict=True))
            plane = sizes["Y"] * sizes["X"]
            pixels = full // plane * (plane + sum(map(prod, plane_levels(sizes["Y"], sizes["X"]))))
        whole = full * np.dtype(plan.output_dtype).itemsize
        waits = whole > psutil.virtual_memory().available // 2
        tile = tuple(min(TILE, order.disk_shape[order.disk_axes.index(axis)]) for axis in "YX")
        return DiskNeed(pixels * itemsize, tile, whole if waits else 0)
    chunking = image_chunking(
        run,
        order,
        asked=options.chunks,
        sharding=zarr_format(check_version(options.ome_version)) == 3,
        channels_apart=bool(copied),
    )
    metadata = disk_metadata(run.metadata.with_axes(region.axes), region)
    levels = image_levels(order, chunking, metadata, pyramid=options.pyramid)
    pixels = sum(prod(level.shape) for level in levels)
    predicted = prod(plan.region.selected_shape) / full
    # chunks without a tile are not stored, those of copied channels always
    there = predicted * share + (1 - predicted)
    n_bytes = round(pixels * there) * itemsize
    return DiskNeed(n_bytes, levels[0].chunks, packs_twice=output.target.zipped)


def planned_run(plan: PredictionPlan, stack: ImageStack, model: Model | ChannelModels) -> RunInfo:
    """What writers of a run would be told, were it begun now."""
    return run_info(plan, stack, model, Schedule(plan.tiles), False)


def free_space(place: Path | None) -> int | None:
    """Bytes that are free where a file or folder would be made; None for no local one."""
    if place is None:
        return None
    there = next((folder for folder in (place, *place.parents) if folder.exists()), None)
    return None if there is None else shutil.disk_usage(there).free
