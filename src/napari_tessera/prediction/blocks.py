"""How a plan is cut into blocks for several processes."""

from __future__ import annotations

from collections.abc import Sequence

from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.writing import RunInfo
from napari_tessera.writing.ome.metadata import check_version, zarr_format
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.block_cells import TileCells
from napari_tessera.writing.stored.block_choice import MOST_BLOCKS, choose_cut
from napari_tessera.writing.stored.block_cut import BlockCut
from napari_tessera.writing.stored.copied_channels import copied_channels, with_all_channels
from napari_tessera.writing.stored.image_levels import image_chunking
from napari_tessera.writing.stored.image_store import ImageOptions

__all__ = ["MOST_BLOCKS", "BlockCut", "cut_of_run", "cut_plan"]


def cut_plan(
    plan: PredictionPlan, units: Sequence[int], slots: int, *, held: Region | None = None
) -> BlockCut:
    """Cut a plan into blocks.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    units : sequence of int
        Lengths of the shards, or chunks where there are none, of the array that is written, along
        its axes on disk.
    slots : int
        How many blocks are worked on at once.
    held : Region, optional
        What the array holds, where that is more than the plan's region: channels that are copied.

    Returns
    -------
    BlockCut
    """
    cells = TileCells.of_plan(plan.to_dict())
    return choose_cut(cells, cells.region if held is None else held, units, slots)


def cut_of_run(run: RunInfo, options: ImageOptions, slots: int) -> BlockCut:
    """The cut that a run into a new OME-Zarr image will have; nothing is made.

    Parameters
    ----------
    run : RunInfo
        The run (see `run_facts.run_info`).
    options : ImageOptions
        How the image will be stored.
    slots : int
        How many blocks are worked on at once.

    Raises
    ------
    ValueError
        If the chunks that are asked for do not fit.
    """
    copied = copied_channels(run.layout, run.region) if options.copy_channels else ()
    held = with_all_channels(run.region) if copied else run.region
    chunking = image_chunking(
        run,
        OmeOrder(held.axes, held.selected_shape),
        asked=options.chunks,
        sharding=zarr_format(check_version(options.ome_version)) == 3,
        channels_apart=bool(copied),
    )
    cells = TileCells.of_plan(run.plan)
    return choose_cut(cells, held, chunking.shards or chunking.chunks, slots)
