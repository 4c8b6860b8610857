from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore, WrapperStore

from napari_tessera.writing.chunks.assembler import ChunkAssembler
from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.chunks.keys import stored_chunks
from napari_tessera.writing.chunks.pyramid import Pyramid

Target = tuple[slice, ...]


def naive_level(pixels: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Mean of the values in each cell, one cell after the other."""
    shape = tuple(-(-n // f) for n, f in zip(pixels.shape, factors, strict=True))
    small = np.empty(shape, pixels.dtype)
    for at in product(*map(range, shape)):
        cell = pixels[tuple(slice(i * f, (i + 1) * f) for i, f in zip(at, factors, strict=True))]
        values = [float(value) for value in cell.ravel() if value == value]
        mean = sum(values) / len(values) if values else float("nan")
        small[at] = round(mean) if pixels.dtype.kind in "iu" else mean
    return small


@dataclass
class Case:
    """An image, its levels, how they are cut, and the tiles in the order in which they come."""

    pixels: np.ndarray
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    factors: list[tuple[int, ...]]
    targets: list[Target]

    def levels(self) -> list[np.ndarray]:
        levels = [self.pixels]
        for factors in self.factors[1:]:
            levels.append(naive_level(levels[-1], factors))
        return levels

    def create(self, store: Any) -> list[zarr.Array[Any]]:
        group = zarr.create_group(store)
        arrays = []
        for number, level in enumerate(self.levels()):
            chunks = tuple(map(min, self.chunks, level.shape))
            shards = None
            if self.shards is not None:
                shards = tuple(
                    max(1, min(shard, -(-n // c))) * c
                    for shard, c, n in zip(self.shards, chunks, level.shape, strict=True)
                )
            arrays.append(
                group.create_array(
                    str(number),
                    shape=level.shape,
                    chunks=chunks,
                    shards=shards,
                    dtype=level.dtype,
                    fill_value=float("nan") if level.dtype.kind == "f" else 0,
                    config={"write_empty_chunks": True},
                )
            )
        return arrays


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n_axes = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 21 if n_axes < 3 else 9)) for _ in range(n_axes))
    chunks = tuple(draw(st.integers(1, size)) for size in shape)
    shards = draw(st.none() | st.tuples(*[st.integers(1, 3) for _ in shape]))
    factors = [(1,) * n_axes]
    factors += draw(
        st.lists(st.tuples(*[st.sampled_from([1, 2, 2]) for _ in shape]), min_size=1, max_size=3)
    )
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    dtype = draw(st.sampled_from(["float32", "uint16", "int8"]))
    pixels = rng.normal(0 if dtype == "int8" else 200, 30, shape).astype(dtype)
    if dtype == "float32" and draw(st.booleans(), label="holes"):
        pixels[rng.random(shape) < 0.5] = np.nan
    along = []
    for size in shape:
        cuts = draw(st.sets(st.integers(1, size), max_size=3)) | {0, size}
        along.append([slice(start, stop) for start, stop in pairwise(sorted(cuts))])
    return Case(pixels, chunks, shards, factors, draw(st.permutations(list(product(*along)))))


def begin(
    arrays: Sequence[zarr.Array[Any]], case: Case, *, limit: int = 10**9, held: int = 10**9
) -> tuple[ChunkAssembler, Pyramid]:
    pyramid = Pyramid(arrays, case.factors, memory_limit=held)
    return ChunkAssembler(arrays[0], memory_limit=limit, on_complete=pyramid.take), pyramid


def assert_levels(arrays: Sequence[zarr.Array[Any]], case: Case) -> None:
    for number, (array, level) in enumerate(zip(arrays, case.levels(), strict=True)):
        np.testing.assert_array_equal(np.asarray(array[...]), level, err_msg=f"level {number}")


@settings(max_examples=40)
@given(case=cases(), held=st.sampled_from([0, 50, 300, 10**9]))
def test_any_tiles_any_chunks_and_any_memory_give_the_levels_and_write_each_chunk_once(
    case: Case, held: int, counting_store: Callable[..., Any]
) -> None:
    store = counting_store(MemoryStore())
    arrays = case.create(store)
    assembler, pyramid = begin(arrays, case, held=held)
    for tile, target in enumerate(case.targets):
        assembler.add(target, case.pixels[target], tile)
        assert pyramid.held_bytes <= held
    assert pyramid.complete
    assert pyramid.held_bytes == 0
    assert_levels(arrays, case)
    for number, array in enumerate(arrays):
        sets = store.chunk_sets(f"{number}/")
        assert len(sets) == len(list(ChunkGrid.of(array)))
        assert set(sets.values()) == {1}


@settings(max_examples=40)
@given(case=cases(), limit=st.integers(0, 300), data=st.data())
def test_levels_are_the_same_whenever_the_run_was_flushed(
    case: Case, limit: int, data: st.DataObject
) -> None:
    arrays = case.create(MemoryStore())
    assembler, pyramid = begin(arrays, case, limit=limit, held=limit)
    flush_at = data.draw(st.sets(st.integers(0, len(case.targets)), max_size=3))
    for tile, target in enumerate(case.targets):
        if tile in flush_at:
            assembler.flush()
            pyramid.flush()
            assert_flushed(arrays, case)
        assembler.add(target, case.pixels[target], tile)
    assembler.flush()
    pyramid.finish()
    assert pyramid.complete
    assert_levels(arrays, case)


def assert_flushed(arrays: Sequence[zarr.Array[Any]], case: Case) -> None:
    """Each level is the one made from what the level below has now."""
    for below, array, factors in zip(arrays, arrays[1:], case.factors[1:], strict=False):
        expected = naive_level(np.asarray(below[...]), factors)
        np.testing.assert_array_equal(np.asarray(array[...]), expected)


@settings(max_examples=40)
@given(case=cases(), data=st.data())
def test_a_resumed_run_has_the_chunks_of_what_is_complete_and_ends_with_the_same_levels(
    case: Case, data: st.DataObject
) -> None:
    arrays = case.create(MemoryStore())
    limit = data.draw(st.sampled_from([0, 200, 10**9]))
    assembler, pyramid = begin(arrays, case, limit=limit, held=limit)
    stop_at = data.draw(st.integers(0, len(case.targets)))
    for tile, target in enumerate(case.targets[:stop_at]):
        assembler.add(target, case.pixels[target], tile)
    if data.draw(st.booleans(), label="cancelled and not killed"):
        assembler.flush()
        pyramid.flush()
    done = set(assembler.take_durable())
    # a ledger may know less than is written, and killed in between a level above may lack
    done -= data.draw(st.sets(st.sampled_from(sorted(done) or [-1])))
    for array in arrays[1:]:
        there = sorted(stored_chunks(array))
        for chunk in data.draw(st.sets(st.sampled_from(there))) if there else ():
            key = f"{array.path}/{array.metadata.encode_chunk_key(chunk)}"
            zarr.core.sync.sync(array.store.delete(key))

    assembler, pyramid = begin(arrays, case, limit=limit, held=limit)
    for tile in done:
        assembler.note_durable(case.targets[tile], tile)
    for chunk in assembler.complete_chunks():
        pyramid.note_complete(chunk)
    pyramid.restore()
    complete = set(assembler.complete_chunks())
    for below, array, factors in zip(arrays, arrays[1:], case.factors[1:], strict=False):
        complete = chunks_made_of(complete, below, array, factors)
        assert stored_chunks(array) == complete
    for tile, target in enumerate(case.targets):
        if tile not in done:
            assembler.add(target, case.pixels[target], tile)
    assert pyramid.complete
    assert_levels(arrays, case)


def chunks_made_of(
    complete: set[tuple[int, ...]],
    below: zarr.Array[Any],
    array: zarr.Array[Any],
    factors: Sequence[int],
) -> set[tuple[int, ...]]:
    """Chunks of a level all of whose pixels below are in complete chunks, found pixel by pixel."""
    pixels = np.zeros(below.shape, bool)
    grid = ChunkGrid.of(below)
    for chunk in complete:
        pixels[grid.region(chunk)] = True
    incomplete = naive_level((~pixels).astype(np.float32), factors) > 0
    grid = ChunkGrid.of(array)
    return {chunk for chunk in grid if not incomplete[grid.region(chunk)].any()}


@pytest.mark.parametrize("failing", [1, 2])
def test_an_upper_chunk_that_could_not_be_written_is_written_at_the_end(
    failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.arange(256, dtype=np.float32).reshape(16, 16)
    targets = [(slice(y, y + 4), slice(x, x + 4)) for y, x in product(range(0, 16, 4), repeat=2)]
    case = Case(pixels, (4, 4), None, [(1, 1), (2, 2), (2, 2)], targets)
    arrays = case.create(MemoryStore())
    assembler, pyramid = begin(arrays, case)
    write = ChunkWriter.write

    def full(self: ChunkWriter, chunk: Any, value: Any) -> None:
        if self.array.path == str(failing):
            raise OSError(28, "No space left on device")
        write(self, chunk, value)

    failed = 0
    with monkeypatch.context() as patch:
        patch.setattr(ChunkWriter, "write", full)
        for tile, target in enumerate(targets):
            try:
                assembler.add(target, pixels[target], tile)
            except OSError:
                failed += 1
    assert failed == (4 if failing == 1 else 1)
    # nothing is stored of the level: what is there of the full size is done
    assembler.flush()
    assert sorted(assembler.take_durable()) == list(range(16))
    assert not pyramid.complete
    pyramid.finish()
    assert pyramid.complete
    assert pyramid.held_bytes == 0
    assert_levels(arrays, case)


def test_a_partial_level_that_cannot_be_deleted_is_replaced_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.arange(64, dtype=np.float32).reshape(8, 8)
    targets = [(slice(y, y + 4), slice(0, 8)) for y in (0, 4)]
    case = Case(pixels, (4, 4), None, [(1, 1), (2, 2)], targets)
    arrays = case.create(MemoryStore())
    assembler, pyramid = begin(arrays, case)
    assembler.add(targets[0], pixels[targets[0]], 0)
    pyramid.flush()

    async def denied(self: Any, key: str) -> None:
        raise PermissionError(f"{key} cannot be deleted")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "delete", denied)
        with pytest.raises(PermissionError, match="1/c/0/0 cannot be deleted"):
            assembler.add(targets[1], pixels[targets[1]], 1)
    assert assembler.take_durable() == [0]
    with pytest.raises(ValueError, match="1 chunks of the full size are not written"):
        pyramid.finish()
    # what came of the tile before the error is kept
    pyramid.flush()
    assembler.flush()
    assert assembler.take_durable() == [1]
    pyramid.finish()
    assert_levels(arrays, case)


def test_no_tile_is_durable_while_a_partial_level_of_it_cannot_be_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.arange(64, dtype=np.float32).reshape(8, 8)
    targets = [(slice(y, y + 4), slice(0, 8)) for y in (0, 4)]
    case = Case(pixels, (8, 8), None, [(1, 1), (2, 2)], targets)
    arrays = case.create(MemoryStore())
    assembler, pyramid = begin(arrays, case)
    assembler.add(targets[0], pixels[targets[0]], 0)
    assembler.flush()
    pyramid.flush()

    async def denied(self: Any, key: str) -> None:
        raise PermissionError(f"{key} cannot be deleted")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "delete", denied)
        for attempt in (lambda: assembler.add(targets[1], pixels[targets[1]], 1), assembler.flush):
            with pytest.raises(PermissionError, match="1/c/0/0 cannot be deleted"):
                attempt()
    assert assembler.take_durable() == [0]
    # the process ends here, and another one goes on with tile 0
    again, other = begin(arrays, case)
    again.note_durable(targets[0], 0)
    assert again.complete_chunks() == []
    other.restore()
    again.add(targets[1], pixels[targets[1]], 1)
    other.finish()
    assert again.take_durable() == [1]
    assert_levels(arrays, case)


class ReadStore(WrapperStore[Store]):
    """Knows what was read that is there: zarr looks for a shard before it writes it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.found: list[str] = []

    def _with_store(self, store: Store) -> ReadStore:
        return self

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Buffer | None:
        value = await super().get(key, *args, **kwargs)
        if value is not None and "/c/" in key:
            self.found.append(key)
        return value


@pytest.mark.parametrize("shards", [None, (2, 3)])
def test_nothing_that_is_written_is_read_where_chunks_can_be_halved_in_place(
    shards: tuple[int, ...] | None,
) -> None:
    pixels = np.arange(33 * 47, dtype=np.float32).reshape(33, 47)
    targets = [(slice(y, min(y + 5, 33)), slice(0, 47)) for y in range(0, 33, 5)]
    case = Case(pixels, (4, 4), shards, [(1, 1), (2, 2), (2, 2)], targets)
    store = ReadStore(MemoryStore())
    arrays = case.create(store)
    assembler, pyramid = begin(arrays, case)
    for tile, target in enumerate(targets):
        assembler.add(target, pixels[target], tile)
    assert pyramid.complete
    assert store.found == []
    assert_levels(arrays, case)
    assert store.found
