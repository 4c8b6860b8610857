"""Smaller levels of an image that several processes wrote: made in passes, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from zarr.core.sync import sync

from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.chunks.grid import ChunkGrid, indices
from napari_tessera.writing.chunks.keys import chunk_key
from napari_tessera.writing.chunks.level_chunks import made_of_below, source_of
from napari_tessera.writing.stored.block_target import BlockTarget

BLOCK_BYTES = 32 * 2**20
"""Uncompressed size that a block of a level grows to; one chunk or shard at least."""

MOST_BLOCKS = 20_000
"""Blocks of a level, beyond which they are larger."""


def level_blocks(level: zarr.Array[Any]) -> ChunkGrid:
    """The cut of a level into blocks of whole chunks (shards): the same for whoever asks.

    Returns
    -------
    ChunkGrid
        Its lengths are multiples of the level's chunks, or shards.
    """
    units = ChunkGrid.of(level)
    size = int(np.prod(level.shape, dtype=np.float64)) * level.dtype.itemsize
    most = max(BLOCK_BYTES, -(-size // MOST_BLOCKS))
    room = max(1, most // (int(np.prod(units.lengths, dtype=np.int64)) * level.dtype.itemsize))
    lengths = list(units.lengths)
    for axis in reversed(range(len(lengths))):
        count = min(units.counts[axis], room)
        lengths[axis] *= count
        room //= count
        if count < units.counts[axis]:
            break
    return ChunkGrid(level.shape, tuple(lengths))


def write_level_block(target: BlockTarget, level: int, number: int) -> None:
    """Write a block of a level from what is stored of the level below.

    A chunk of which nothing is stored below is not written, as it would be by one run alone.

    Parameters
    ----------
    target : BlockTarget
        The image.
    level : int
        From 1 on; the level below is written.
    number : int
        Of the block, in C order over `level_blocks`.

    Raises
    ------
    StoreError, StoreBusyError
        If the image is not there any more, or another run's.
    OSError
        Whatever reading and writing raises.
    """
    below, own = target.arrays[level - 1], target.arrays[level]
    blocks, grid, beneath = level_blocks(own), ChunkGrid.of(own), ChunkGrid.of(below)
    factors = target.factors[level]
    writer = ChunkWriter(own)
    target.check()
    block = tuple(int(at) for at in np.unravel_index(number, blocks.counts))
    for chunk in indices(grid.meeting(blocks.region(block))):
        target.look()
        made_of = beneath.meeting(source_of(grid.region(chunk), beneath, factors))
        if any(_is_stored(below, each) for each in indices(made_of)):
            writer.write(chunk, made_of_below(below, own, factors, chunk))


def _is_stored(array: zarr.Array[Any], chunk: tuple[int, ...]) -> bool:
    return bool(sync(array.store.exists(chunk_key(array, chunk))))
