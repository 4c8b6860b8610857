"""Of an array that several write, each its window."""

from __future__ import annotations

import random
from math import prod
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.tile_sink import TileSink, overlap


@pytest.mark.parametrize("seed", range(6))
def test_what_several_write_and_count_is_what_one_writes_and_counts(
    seed: int, tiled_image: Any
) -> None:
    """In chunks of int8, of which some pixels are clipped."""
    choice = random.Random(seed)
    image = tiled_image("XTSY", (40, 3, 2, 50), (15, 12), (2, 2), selection={"T": [0, 2]})
    order = OmeOrder(image.region.axes, image.region.selected_shape)
    group = zarr.create_group(MemoryStore())
    one, several = (
        group.create_array(
            name,
            shape=order.disk_shape,
            chunks=(1, 11, 13),
            dtype="int8",
            config={"write_empty_chunks": True},
        )
        for name in ("one", "several")
    )
    alone = TileSink(one, image.layout, image.region, order=order)
    for tile in image.tiles():
        alone.add(tile, int(tile.additional_metadata["tile_index"]))
    clipped = sum(alone.take_durable().values())
    assert clipped > 100

    blocks = ChunkGrid(order.disk_shape, (choice.randint(1, 4), 22, 13))
    counted, n_tiles = 0, 0
    for block in blocks:
        window = blocks.region(block)
        sink = TileSink(several, image.layout, image.region, order=order, window=window)
        tiles = list(image.tiles())
        choice.shuffle(tiles)
        for tile in tiles:
            sink.add(tile, int(tile.additional_metadata["tile_index"]))
        durable = sink.take_durable()
        counted += sum(durable.values())
        n_tiles = len(durable)
        # every tile is done with, also one of which nothing lies in the window
        assert n_tiles == len(tiles)
        inside = ChunkGrid.of(several).meeting(window)
        assert len(sink.complete_chunks()) == prod(part.stop - part.start for part in inside)
    assert counted == clipped
    np.testing.assert_array_equal(several[:], one[:])


def test_blocks_share_what_lies_in_both() -> None:
    one = (slice(0, 5), slice(3, 9))
    assert overlap(one, (slice(4, 8), slice(0, 4))) == (slice(4, 5), slice(3, 4))
    assert overlap(one, (slice(5, 8), slice(0, 4))) is None
