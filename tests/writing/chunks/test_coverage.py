"""What of an array comes, against every pixel of small arrays; chunks that are written, and not."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from napari_tessera.writing.chunks.assembler import ChunkAssembler
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.chunks.keys import stored_chunks
from napari_tessera.writing.chunks.pyramid import Pyramid

Cell = tuple[slice, ...]


@st.composite
def coverages(draw: st.DrawFn, max_side: int = 18) -> Coverage:
    n_axes = draw(st.integers(1, 3))
    cuts = []
    for _ in range(n_axes):
        size = draw(st.integers(1, max_side))
        cuts.append(np.array(sorted(draw(st.sets(st.integers(1, size), max_size=4)) | {0, size})))
    shape = [draw(st.sampled_from([1, len(own) - 1])) for own in cuts]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return Coverage(tuple(cuts), rng.random(shape) < draw(st.sampled_from([0.2, 0.5, 0.9])))


def shape_of(coverage: Coverage) -> tuple[int, ...]:
    return tuple(int(cuts[-1]) for cuts in coverage.cuts)


def cells_of(coverage: Coverage) -> list[tuple[Cell, bool]]:
    comes = np.broadcast_to(coverage.comes, [len(cuts) - 1 for cuts in coverage.cuts])
    along = [[slice(int(a), int(b)) for a, b in pairwise(cuts)] for cuts in coverage.cuts]
    return list(zip(product(*along), map(bool, comes.ravel()), strict=True))


def pixels_of(coverage: Coverage) -> np.ndarray:
    """Whether each pixel comes."""
    pixels = np.zeros(shape_of(coverage), bool)
    for cell, comes in cells_of(coverage):
        pixels[cell] = comes
    return pixels


@settings(max_examples=60, deadline=None)
@given(coverages(), st.data())
def test_pixels_that_do_not_come_are_counted(coverage: Coverage, data: st.DataObject) -> None:
    pixels = pixels_of(coverage)
    block = []
    for size in pixels.shape:
        start = data.draw(st.integers(0, size - 1))
        block.append(slice(start, data.draw(st.integers(start + 1, size))))
    assert coverage.missing(block) == np.count_nonzero(~pixels[tuple(block)])


@settings(max_examples=60, deadline=None)
@given(coverages(), st.data())
def test_chunks_of_which_nothing_comes(coverage: Coverage, data: st.DataObject) -> None:
    pixels = pixels_of(coverage)
    lengths = tuple(data.draw(st.integers(1, size)) for size in pixels.shape)
    grid = ChunkGrid(pixels.shape, lengths)
    absent = coverage.absent(grid)
    assert absent.shape == grid.counts
    for chunk in grid:
        assert absent[chunk] == (not pixels[grid.region(chunk)].any())


def test_cells_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="cells in"):
        Coverage((np.array([0, 3, 5]),), np.ones(3, bool))
    with pytest.raises(ValueError, match="cells in"):
        Coverage((np.array([0, 3, 5]),), np.ones((2, 1), bool))


@st.composite
def skipping(draw: st.DrawFn) -> dict[str, Any]:
    """Levels, their chunks, and the cells that come in an order of their own."""
    coverage = draw(coverages().filter(lambda own: own.comes.any()))
    shape = shape_of(coverage)
    chunks = tuple(draw(st.integers(1, size)) for size in shape)
    shards = draw(st.none() | st.tuples(*[st.integers(1, 3) for _ in shape]))
    factors = [(1,) * len(shape)]
    factors += draw(st.lists(st.tuples(*[st.sampled_from([1, 2]) for _ in shape]), max_size=3))
    dtype = draw(st.sampled_from(["float32", "uint16"]))
    coming = [cell for cell, comes in cells_of(coverage) if comes]
    return {
        "coverage": coverage,
        "chunks": chunks,
        "shards": shards,
        "factors": factors,
        "dtype": dtype,
        "coming": draw(st.permutations(coming)),
        "limit": draw(st.sampled_from([0, 300, 10**9])),
    }


def levels_of(case: dict[str, Any]) -> list[np.ndarray]:
    """What is to be stored: the fill value where nothing comes."""
    comes = pixels_of(case["coverage"])
    values = np.random.default_rng(1).normal(900, 90, comes.shape).astype(case["dtype"])
    fill = np.nan if case["dtype"] == "float32" else 0
    levels = [np.where(comes, values, values.dtype.type(fill))]
    for factors in case["factors"][1:]:
        levels.append(downsample(levels[-1], factors))
    return levels


def create(case: dict[str, Any], levels: list[np.ndarray]) -> list[zarr.Array[Any]]:
    group = zarr.create_group(MemoryStore())
    arrays = []
    for number, level in enumerate(levels):
        chunks = tuple(map(min, case["chunks"], level.shape))
        shards = case["shards"]
        if shards is not None:
            shards = tuple(
                max(1, min(n, -(-size // c))) * c
                for n, c, size in zip(shards, chunks, level.shape, strict=True)
            )
        arrays.append(
            group.create_array(
                str(number),
                shape=level.shape,
                chunks=chunks,
                shards=shards,
                dtype=level.dtype,
                fill_value=np.nan if level.dtype.kind == "f" else 0,
                config={"write_empty_chunks": True},
            )
        )
    return arrays


def writers(
    case: dict[str, Any], arrays: list[zarr.Array[Any]]
) -> tuple[ChunkAssembler, Pyramid, list[tuple[int, ...]]]:
    written: list[tuple[int, ...]] = []
    coverage = case["coverage"]
    pyramid = Pyramid(arrays, case["factors"], memory_limit=case["limit"], coverage=coverage)

    def note(chunk: tuple[int, ...], pixels: np.ndarray) -> None:
        written.append(chunk)
        pyramid.take(chunk, pixels)

    return ChunkAssembler(arrays[0], on_complete=note, coverage=coverage), pyramid, written


def assert_stored(
    case: dict[str, Any], arrays: list[zarr.Array[Any]], levels: list[np.ndarray]
) -> None:
    comes = pixels_of(case["coverage"])
    for array, level, factors in zip(arrays, levels, case["factors"], strict=True):
        np.testing.assert_array_equal(np.asarray(array[...]), level)
        if array is not arrays[0]:
            # a pixel of a level is made of some that come
            comes = downsample(comes.astype(np.float32), factors) > 0
        grid = ChunkGrid.of(array)
        there = stored_chunks(array)
        made = {chunk for chunk in grid if comes[grid.region(chunk)].any()}
        # above, what lies in a chunk with others of the level below is written with them
        assert there == made if array is arrays[0] else there >= made


@settings(max_examples=40, deadline=None)
@given(skipping())
def test_what_comes_is_written_once_and_of_the_rest_nothing(case: dict[str, Any]) -> None:
    levels = levels_of(case)
    arrays = create(case, levels)
    assembler, pyramid, written = writers(case, arrays)
    for number, cell in enumerate(case["coming"]):
        assembler.add(cell, levels[0][cell], number)
    # nothing is left to flush: each chunk was complete when its last cell came
    assert assembler.n_open == 0
    assert sorted(assembler.take_durable()) == list(range(len(case["coming"])))
    assert len(set(written)) == len(written)
    pyramid.finish()
    assert pyramid.complete
    assert_stored(case, arrays, levels)


@settings(max_examples=40, deadline=None)
@given(skipping(), st.data())
def test_a_run_that_goes_on_stores_the_same(case: dict[str, Any], data: st.DataObject) -> None:
    levels = levels_of(case)
    arrays = create(case, levels)
    coming = case["coming"]
    stop = data.draw(st.integers(0, len(coming)))
    assembler, pyramid, _ = writers(case, arrays)
    for number, cell in enumerate(coming[:stop]):
        assembler.add(cell, levels[0][cell], number)
    if data.draw(st.booleans(), label="flushed, not killed"):
        assembler.flush()
        pyramid.flush()
    durable = set(assembler.take_durable())

    assembler, pyramid, _ = writers(case, arrays)
    for number in durable:
        assembler.note_durable(coming[number], number)
    for chunk in assembler.complete_chunks():
        pyramid.note_complete(chunk)
    pyramid.restore()
    for number, cell in enumerate(coming):
        if number not in durable:
            assembler.add(cell, levels[0][cell], number)
    assert assembler.n_open == 0
    pyramid.finish()
    assert_stored(case, arrays, levels)
