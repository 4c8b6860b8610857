"""The arrays of an OME-Zarr image: made, and opened again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import zarr
from numpy.typing import DTypeLike

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.chunks.chunking import Chunking, choose_chunking
from napari_tessera.writing.chunks.levels import Level, plan_levels
from napari_tessera.writing.ome.arrays import Compression, create_pixel_array, open_pixel_array
from napari_tessera.writing.ome.metadata import level_name, n_levels
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.run_info import RunInfo

_STRETCHED = 8
"""A chunk of an image that is longer than this times its width is no chunk for viewers."""


def image_chunking(
    run: RunInfo,
    order: OmeOrder,
    *,
    asked: Sequence[int] | None,
    sharding: bool,
    channels_apart: bool,
) -> Chunking:
    """Choose chunks and shards of the full size.

    The image's own serve where its axes are those on disk, and chunks and shards do not
    span what tiles do not: a chunk of many planes stays begun until the last one is predicted. Nor
    are the strips of a TIFF taken, which a viewer would read from edge to edge.

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
        Whether a chunk may hold one channel only.

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
    together = set(layout.spatial_axes) | ({"C"} if "C" not in layout.fold else set())
    if channels_apart:
        together.discard("C")

    def serving(lengths: Sequence[int] | None) -> Sequence[int] | None:
        if lengths is None or axes != layout.axes or len(lengths) != len(axes):
            return None
        along = dict(zip(axes, map(min, lengths, order.disk_shape), strict=True))
        apart = all(along[letter] == 1 for letter in axes if letter not in together)
        stretched = max(along["Y"], along["X"]) > _STRETCHED * min(along["Y"], along["X"])
        return lengths if apart and not stretched else None

    chunking = choose_chunking(
        axes,
        order.disk_shape,
        steps,
        run.output_dtype,
        asked=asked,
        source_chunks=serving(run.source_chunks),
        source_shards=serving(run.source_shards),
        sharding=sharding,
    )
    if channels_apart and "C" in axes and chunking.chunks[axes.index("C")] > 1:
        raise ValueError(
            f"chunks {chunking.chunks} along {axes} hold several channels, of which some are "
            "predicted and some copied: give 1 along C"
        )
    return chunking


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
