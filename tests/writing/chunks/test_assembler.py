from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise, product
from threading import Event
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from napari_tessera.writing import ChunkAssembler
from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.chunks.overflow import Overflow
from napari_tessera.writing.chunks.workers import Workers

Target = tuple[slice, ...]


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@st.composite
def cut_arrays(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], list[Target]]:
    """A shape, a chunk shape, and blocks that partition the shape, in random order."""
    shape = tuple(draw(st.lists(st.integers(1, 23), min_size=1, max_size=3)))
    chunks = tuple(draw(st.integers(1, size)) for size in shape)
    along = []
    for size in shape:
        cuts = draw(st.sets(st.integers(1, size), max_size=4)) | {0, size}
        along.append([slice(start, stop) for start, stop in pairwise(sorted(cuts))])
    return shape, chunks, draw(st.permutations(list(product(*along))))


def make_array(
    store: Any, shape: tuple[int, ...], chunks: tuple[int, ...], **options: Any
) -> zarr.Array[Any]:
    return zarr.create_array(
        store,
        shape=shape,
        chunks=chunks,
        dtype="float32",
        fill_value=float("nan"),
        config={"write_empty_chunks": True},
        **options,
    )


def pixels_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@given(case=cut_arrays())
def test_any_order_and_any_chunks_give_the_array_and_write_each_chunk_once(
    case: tuple[tuple[int, ...], tuple[int, ...], list[Target]],
    counting_store: Callable[..., Any],
) -> None:
    shape, chunks, targets = case
    store = counting_store(MemoryStore())
    array = make_array(store, shape, chunks)
    pixels = pixels_of(shape)
    assembler = ChunkAssembler(array)
    durable: list[int] = []
    for tile, target in enumerate(targets):
        assembler.add(target, pixels[target], tile)
        durable += assembler.take_durable()
    assert assembler.n_open == assembler.held_bytes == 0
    assert sorted(durable) == list(range(len(targets)))
    np.testing.assert_array_equal(array[:], pixels)
    n_chunks = int(np.prod([-(-size // c) for size, c in zip(shape, chunks, strict=True)]))
    assert len(store.chunk_sets()) == n_chunks
    assert set(store.chunk_sets().values()) == {1}


@given(case=cut_arrays(), limit=st.integers(0, 400))
def test_a_small_memory_limit_writes_early_reads_back_and_loses_nothing(
    case: tuple[tuple[int, ...], tuple[int, ...], list[Target]], limit: int
) -> None:
    shape, chunks, targets = case
    array = make_array(MemoryStore(), shape, chunks)
    pixels = pixels_of(shape)
    assembler = ChunkAssembler(array, memory_limit=limit)
    durable: list[int] = []
    for tile, target in enumerate(targets):
        assembler.add(target, pixels[target], tile)
        assert assembler.held_bytes <= limit
        for finished in assembler.take_durable():
            np.testing.assert_array_equal(array[targets[finished]], pixels[targets[finished]])
            durable.append(finished)
    assembler.flush()
    durable += assembler.take_durable()
    assert sorted(durable) == list(range(len(targets)))
    np.testing.assert_array_equal(array[:], pixels)


@given(case=cut_arrays(), limit=st.integers(0, 400))
def test_with_an_overflow_nothing_is_written_before_it_is_whole(
    case: tuple[tuple[int, ...], tuple[int, ...], list[Target]],
    limit: int,
    counting_store: Callable[..., Any],
) -> None:
    shape, chunks, targets = case
    store = counting_store(MemoryStore())
    array = make_array(store, shape, chunks)
    pixels = pixels_of(shape)
    with closing(Overflow()) as overflow:
        assembler = ChunkAssembler(array, memory_limit=limit, overflow=overflow)
        for tile, target in enumerate(targets):
            assembler.add(target, pixels[target], tile)
            assert assembler.held_bytes <= limit
        assert list(overflow) == []
    assert sorted(assembler.take_durable()) == list(range(len(targets)))
    np.testing.assert_array_equal(array[:], pixels)
    assert set(store.chunk_sets().values()) == {1}


def test_what_waits_in_an_overflow_is_written_by_a_flush() -> None:
    array = make_array(MemoryStore(), (8, 8), (4, 4))
    pixels = pixels_of((8, 8))
    with closing(Overflow()) as overflow:
        assembler = ChunkAssembler(array, memory_limit=0, overflow=overflow)
        assembler.add((slice(0, 3), slice(0, 8)), pixels[:3], 0)
        assert sorted(overflow) == [(0, 0), (0, 1)]
        assert assembler.held_bytes == 0
        assert np.isnan(array[:]).all()
        assert assembler.take_durable() == []
        assembler.flush()
        assert list(overflow) == []
    assert assembler.take_durable() == [0]
    np.testing.assert_array_equal(array[:3], pixels[:3])
    assert np.isnan(array[3:]).all()


@given(case=cut_arrays(), data=st.data())
def test_a_tile_counts_as_durable_only_when_all_of_it_is_in_the_store(
    case: tuple[tuple[int, ...], tuple[int, ...], list[Target]], data: st.DataObject
) -> None:
    shape, chunks, targets = case
    array = make_array(MemoryStore(), shape, chunks)
    pixels = pixels_of(shape)
    assembler = ChunkAssembler(array)
    flush_at = data.draw(st.integers(0, len(targets)))
    taken: list[int] = []
    for tile, target in enumerate(targets):
        if tile == flush_at:
            assembler.flush()
        for finished in assembler.take_durable():
            np.testing.assert_array_equal(array[targets[finished]], pixels[targets[finished]])
            taken.append(finished)
        if tile == flush_at:
            assert sorted(taken) == list(range(tile))
        assembler.add(target, pixels[target], tile)
    np.testing.assert_array_equal(array[:], pixels)


@given(case=cut_arrays(), data=st.data())
def test_what_an_earlier_run_left_is_read_back_and_completed(
    case: tuple[tuple[int, ...], tuple[int, ...], list[Target]], data: st.DataObject
) -> None:
    shape, chunks, targets = case
    store = MemoryStore()
    array = make_array(store, shape, chunks)
    pixels = pixels_of(shape)
    first = ChunkAssembler(array)
    stop_at = data.draw(st.integers(0, len(targets)))
    for tile, target in enumerate(targets[:stop_at]):
        first.add(target, pixels[target], tile)
    if data.draw(st.booleans(), label="flushed"):
        first.flush()
    done = set(first.take_durable())

    second = ChunkAssembler(array)
    for tile in done:
        second.note_durable(targets[tile], tile)
    for tile, target in enumerate(targets):
        if tile not in done:
            second.add(target, pixels[target], tile)
    assert second.n_open == 0
    np.testing.assert_array_equal(array[:], pixels)


@given(case=cut_arrays(), limit=st.sampled_from([0, 200, 10**6]))
def test_a_tile_that_comes_twice_changes_nothing(
    case: tuple[tuple[int, ...], tuple[int, ...], list[Target]], limit: int
) -> None:
    shape, chunks, targets = case
    array = make_array(MemoryStore(), shape, chunks)
    pixels = pixels_of(shape)
    assembler = ChunkAssembler(array, memory_limit=limit)
    for tile, target in enumerate(targets):
        for _ in range(2):
            assembler.add(target, pixels[target], tile)
    assembler.add(targets[0], pixels[targets[0]], 0)
    assembler.flush()
    np.testing.assert_array_equal(array[:], pixels)


@given(case=cut_arrays(), limit=st.sampled_from([200, 10**6]), shards=st.booleans())
@settings(max_examples=30, deadline=None)
def test_threads_that_store_chunks_change_nothing_but_when(
    case: tuple[tuple[int, ...], tuple[int, ...], list[Target]],
    limit: int,
    shards: bool,
    pool: ThreadPoolExecutor,
    counting_store: Callable[..., Any],
) -> None:
    shape, chunks, targets = case
    store = counting_store(MemoryStore())
    lengths = tuple(2 * length for length in chunks) if shards else None
    array = make_array(store, shape, chunks, shards=lengths)
    pixels = pixels_of(shape)
    told: list[tuple[int, ...]] = []

    def listen(chunk: tuple[int, ...], written: np.ndarray) -> None:
        told.append(chunk)
        np.testing.assert_array_equal(array[assembler.grid.region(chunk)], written)

    assembler = ChunkAssembler(
        array, memory_limit=limit, on_complete=listen, workers=Workers(pool, 2)
    )
    durable: list[int] = []
    for tile, target in enumerate(targets):
        assembler.add(target, pixels[target], tile)
        for finished in assembler.take_durable():
            np.testing.assert_array_equal(array[targets[finished]], pixels[targets[finished]])
            durable.append(finished)
    assembler.flush()
    durable += assembler.take_durable()
    assert sorted(durable) == list(range(len(targets)))
    assert sorted(told) == sorted(assembler.grid)
    assert assembler.n_open == assembler.held_bytes == 0
    np.testing.assert_array_equal(array[:], pixels)
    if limit > 200:
        assert set(store.chunk_sets().values()) == {1}


def test_what_a_thread_could_not_store_is_kept_and_stored_by_the_next_flush(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = make_array(MemoryStore(), (4, 12), (4, 4))
    assembler = ChunkAssembler(array, workers=Workers(pool, 2))
    pixels = pixels_of((4, 12))
    assembler.add((slice(0, 4), slice(8, 12)), pixels[:, 8:], 0)
    assembler.flush()
    with monkeypatch.context() as patch:
        patch.setattr(ChunkWriter, "write", _no_space)
        assembler.add((slice(0, 4), slice(0, 8)), pixels[:, :8], 1)
        with pytest.raises(OSError, match="No space left"):
            assembler.flush()
    assert assembler.take_durable() == [0]
    assert assembler.n_open == 2
    assembler.flush()
    assert assembler.take_durable() == [1]
    np.testing.assert_array_equal(array[:], pixels)


def test_few_chunks_wait_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    array = make_array(MemoryStore(), (4, 80), (4, 4))
    pixels = pixels_of((4, 80))
    begun = Event()
    write = ChunkWriter.write
    waiting: list[int] = []

    def slow(self: ChunkWriter, chunk: Any, values: Any) -> None:
        begun.wait(10)
        write(self, chunk, values)

    class Waiting(Workers):
        @property
        def most_waiting(self) -> int:
            # asked when a chunk was handed over: beyond these, the oldest is waited for
            waiting.append(assembler.n_open)
            if assembler.n_open > 4:
                begun.set()
            return super().most_waiting

    monkeypatch.setattr(ChunkWriter, "write", slow)
    with ThreadPoolExecutor(2) as pool:
        assembler = ChunkAssembler(array, workers=Waiting(pool, 2))
        for tile in range(20):
            target = (slice(0, 4), slice(4 * tile, 4 * tile + 4))
            assembler.add(target, pixels[target], tile)
        assembler.flush()
    assert max(waiting) == 5
    np.testing.assert_array_equal(array[:], pixels)


def test_a_shard_is_written_once_and_whole(counting_store: Callable[..., Any]) -> None:
    store = counting_store(MemoryStore())
    array = make_array(store, (20, 20), (4, 4), shards=(8, 8))
    pixels = pixels_of((20, 20))
    assembler = ChunkAssembler(array)
    for tile, (y, x) in enumerate(product(range(0, 20, 5), repeat=2)):
        target = (slice(y, y + 5), slice(x, x + 5))
        assembler.add(target, pixels[target], tile)
    np.testing.assert_array_equal(array[:], pixels)
    assert set(store.chunk_sets().values()) == {1}
    assert len(store.chunk_sets()) == 9


def test_unfinished_area_stays_the_fill_value_after_a_flush() -> None:
    array = make_array(MemoryStore(), (4, 4), (4, 4))
    assembler = ChunkAssembler(array)
    assembler.add((slice(0, 2), slice(0, 4)), np.ones((2, 4), np.float32), 0)
    assembler.flush()
    assert np.isnan(array[2:]).all()
    assert (np.asarray(array[:2]) == 1).all()


def test_a_chunk_of_nothing_but_nan_is_written_all_the_same() -> None:
    store = MemoryStore()
    assembler = ChunkAssembler(make_array(store, (4, 4), (4, 4)))
    assembler.add((slice(0, 4), slice(0, 4)), np.full((4, 4), np.nan, np.float32), 0)
    assert any(key.startswith("c/") for key in store._store_dict)


def _no_space(self: Any, index: Any, value: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_failed_write_loses_nothing_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    array = make_array(MemoryStore(), (4, 4), (4, 4))
    assembler = ChunkAssembler(array)

    with monkeypatch.context() as patch:
        patch.setattr(ChunkWriter, "write", _no_space)
        with pytest.raises(OSError, match="No space left"):
            assembler.add((slice(0, 4), slice(0, 4)), np.ones((4, 4), np.float32), 0)
    assert assembler.take_durable() == []
    assembler.flush()
    assert assembler.take_durable() == [0]
    assert (np.asarray(array[:]) == 1).all()


def test_a_failed_write_keeps_what_the_block_brings_to_other_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    array = make_array(MemoryStore(), (4, 12), (4, 4))
    assembler = ChunkAssembler(array)
    pixels = pixels_of((4, 12))
    assembler.add((slice(0, 2), slice(0, 12)), pixels[:2], 0)
    with monkeypatch.context() as patch:
        patch.setattr(ChunkWriter, "write", _no_space)
        with pytest.raises(OSError, match="No space left"):
            assembler.add((slice(2, 4), slice(0, 12)), pixels[2:], 1)
    assert assembler.n_open == 3
    assembler.flush()
    assert sorted(assembler.take_durable()) == [0, 1]
    np.testing.assert_array_equal(array[:], pixels)


def test_a_listener_that_fails_undoes_no_write_and_is_told_again(
    counting_store: Callable[..., Any],
) -> None:
    store = counting_store(MemoryStore())
    array = make_array(store, (4, 8), (4, 4))
    told: list[tuple[int, ...]] = []

    def listen(chunk: tuple[int, ...], pixels: np.ndarray) -> None:
        told.append(chunk)
        np.testing.assert_array_equal(array[:, chunk[1] * 4 : chunk[1] * 4 + 4], pixels)
        if len(told) < 3:
            raise OSError(5, "Input/output error")

    assembler = ChunkAssembler(array, on_complete=listen)
    pixels = pixels_of((4, 8))
    with pytest.raises(OSError, match="Input/output"):
        assembler.add((slice(0, 4), slice(0, 8)), pixels, 0)
    assert told == [(0, 0)]
    with pytest.raises(OSError, match="Input/output"):
        assembler.flush()
    assert told == [(0, 0), (0, 0)]
    # who listens does not know of it: no tile of it is done
    assert (assembler.take_durable(), assembler.complete_chunks()) == ([], [])
    assembler.flush()
    assert told == [(0, 0), (0, 0), (0, 0), (0, 1)]
    assert assembler.take_durable() == [0]
    assert assembler.complete_chunks() == [(0, 0), (0, 1)]
    assert set(store.chunk_sets().values()) == {1}
    np.testing.assert_array_equal(array[:], pixels)
