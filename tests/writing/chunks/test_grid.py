from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from zarr import create_array
from zarr.storage import MemoryStore

from napari_tessera.writing.chunks.grid import ChunkGrid, indices


@st.composite
def grids(draw: st.DrawFn) -> ChunkGrid:
    shape = tuple(draw(st.lists(st.integers(1, 15), min_size=1, max_size=3)))
    return ChunkGrid(shape, tuple(draw(st.integers(1, size + 2)) for size in shape))


@given(grid=grids())
def test_regions_of_chunks_partition_the_array(grid: ChunkGrid) -> None:
    times = np.zeros(grid.shape, int)
    for chunk in grid:
        times[grid.region(chunk)] += 1
        assert times[grid.region(chunk)].shape == grid.size(chunk)
    assert (times == 1).all()
    assert len(list(grid)) == np.prod(grid.counts)


@given(grid=grids(), data=st.data())
def test_chunks_that_a_block_meets_are_those_it_shares_pixels_with(
    grid: ChunkGrid, data: st.DataObject
) -> None:
    block = []
    for size in grid.shape:
        start = data.draw(st.integers(0, size - 1))
        block.append(slice(start, data.draw(st.integers(start + 1, size))))
    marked = np.zeros(grid.shape, bool)
    marked[tuple(block)] = True
    met = set(indices(grid.meeting(block)))
    assert met == {chunk for chunk in grid if marked[grid.region(chunk)].any()}
    numbers = np.arange(marked.size).reshape(grid.shape)
    for chunk in met:
        within, source = grid.overlap(chunk, block)
        np.testing.assert_array_equal(
            numbers[grid.region(chunk)][within], numbers[tuple(block)][source]
        )


def test_what_is_one_key_counts_shards_where_there_are_some() -> None:
    plain = create_array(MemoryStore(), shape=(9, 9), chunks=(2, 3), dtype="u1")
    sharded = create_array(MemoryStore(), shape=(9, 9), chunks=(2, 3), shards=(4, 6), dtype="u1")
    assert ChunkGrid.of(plain).counts == (5, 3)
    assert ChunkGrid.of(sharded).counts == (3, 2)
