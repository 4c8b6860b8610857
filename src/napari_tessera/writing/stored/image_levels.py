"""The arrays of an OME-Zarr image: made, and opened again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import zarr
from numpy.typing import DTypeLike

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.chunks.chunking import (
    MOST_TILES,
    MOST_TILES_OF_SHARD,
    Chunking,
    choose_chunking,
    serving,
    tile_axes,
)
from napari_tessera.writing.chunks.levels import Level, plan_levels
from napari_tessera.writing.ome.arrays import Compression, create_pixel_array, open_pixel_array
from napari_tessera.writing.ome.metadata import level_name, n_levels
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.run_info import RunInfo


def image_chunking(
    run: RunInfo,
    order: OmeOrder,
    *,
    asked: Sequence[int] | None,
    sharding: bool,
    channels_apart: bool,
) -> Chunking:
    """Choose chunks and shards of the full size.

    The image's own serve where its axes are those on disk (see `serving`).

    Parameters
    ----------
    run : RunInfo
        The run.
    order : OmeOrder
        Axes and shape on disk.
    asked : sequence of int or None
        Lengths of chunks along the last axes that were asked for.
    sharding : bool
        Whether the format knows shards.
    channels_apart : bool
        Whether a chunk, or shard, may hold one channel only.

    Raises
    ------
    ValueError
        If what is asked for does not fit.
    """
    axes, layout = order.disk_axes, run.layout
    steps = {
        letter: patch - overlap
        for letter, patch, overlap in zip(
            layout.spatial_axes, run.patch_size, run.overlaps, strict=True
        )
    }
    apart = "C" if channels_apart else ""
    if (
        asked is not None
        and dict(zip(reversed(axes), reversed(asked), strict=False)).get(apart, 1) > 1
    ):
        raise ValueError(
            f"chunks {tuple(asked)} along {axes} hold several channels, of which some are "
            "predicted and some copied: give 1 along C"
        )
    spanned = "".join(letter for letter in tile_axes(layout) if letter not in apart)

    def own(lengths: Sequence[int] | None, most_tiles: int) -> tuple[int, ...] | None:
        if axes != layout.axes:
            return None
        return serving(lengths, axes, order.disk_shape, spanned, steps, most_tiles)

    return choose_chunking(
        axes,
        order.disk_shape,
        steps,
        run.output_dtype,
        asked=asked,
        source_chunks=own(run.source_chunks, MOST_TILES),
        source_shards=own(run.source_shards, MOST_TILES_OF_SHARD),
        sharding=sharding,
        apart=apart,
    )


def image_levels(
    order: OmeOrder, chunking: Chunking, metadata: ImageMetadata, *, pyramid: bool
) -> tuple[Level, ...]:
    """The levels of an image that is to be made; one where no pyramid is wanted."""
    levels = plan_levels(order.disk_axes, order.disk_shape, chunking, metadata)
    return levels if pyramid else levels[:1]


def create_levels(
    group: zarr.Group,
    levels: Sequence[Level],
    *,
    axes: str,
    dtype: DTypeLike,
    compression: Compression,
) -> list[zarr.Array[Any]]:
    """Make the arrays, the full size last: where that is, all are."""
    arrays = [
        create_pixel_array(
            group,
            level_name(at),
            axes=axes,
            shape=level.shape,
            chunks=level.chunks,
            shards=level.shards,
            dtype=dtype,
            compression=compression,
        )
        for at, level in reversed(list(enumerate(levels)))
    ]
    return arrays[::-1]


def open_levels(group: zarr.Group, attributes: Mapping[str, Any]) -> list[zarr.Array[Any]]:
    """Open the arrays that a group's attributes name, to write to them."""
    return [open_pixel_array(group, level_name(at)) for at in range(n_levels(attributes))]


def factors_of(arrays: Sequence[zarr.Array[Any]]) -> list[tuple[int, ...]]:
    """How many pixels of the level before each became one along each axis, the first all 1."""
    shapes = [array.shape for array in arrays]
    befores = [shapes[0], *shapes[:-1]]
    return [
        tuple(-(-size // own) for size, own in zip(before, shape, strict=True))
        for before, shape in zip(befores, shapes, strict=True)
    ]
