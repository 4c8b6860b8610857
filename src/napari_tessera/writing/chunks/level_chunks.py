"""A chunk of a smaller level as a function of the level below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.chunks.grid import ChunkGrid, ChunkIndex, Slices


def source_of(region: Slices, below: ChunkGrid, factors: Sequence[int]) -> Slices:
    """The pixels of the level below that a region of a level is made of.

    Parameters
    ----------
    region : tuple of slice
        Of the level.
    below : ChunkGrid
        Of the level below.
    factors : sequence of int
        How many pixels of the level below become one, along each axis.
    """
    return tuple(
        slice(part.start * factor, min(part.stop * factor, size))
        for part, factor, size in zip(region, factors, below.shape, strict=True)
    )


def made_of_below(
    below: zarr.Array[Any], level: zarr.Array[Any], factors: Sequence[int], chunk: ChunkIndex
) -> NDArray[Any]:
    """A chunk (shard) of a level, made of what is stored below, part by part where it is a shard.

    Parameters
    ----------
    below, level : zarr.Array
        The level below, and the one that the chunk is of.
    factors : sequence of int
        How many pixels of the level below become one, along each axis.
    chunk : tuple of int
        The chunk's index.

    Returns
    -------
    numpy.ndarray
        All of its pixels that lie inside the array.
    """
    grid, beneath = ChunkGrid.of(level), ChunkGrid.of(below)
    region = grid.region(chunk)
    made = np.empty(grid.size(chunk), level.dtype)
    parts = ChunkGrid(made.shape, level.chunks)
    for part in parts:
        within = parts.region(part)
        inside = tuple(
            slice(at.start + own.start, at.start + own.stop)
            for at, own in zip(region, within, strict=True)
        )
        pixels = np.asarray(below[source_of(inside, beneath, factors)])
        made[within] = downsample(pixels, factors)
    return made
