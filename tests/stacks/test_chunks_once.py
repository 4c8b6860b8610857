"""Chunks that are read once, and kept as long as they are needed."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from threading import Barrier, Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks.reading.chunks_once import ChunksOnce
from napari_tessera.stacks.reading.expected import ExpectedReads, Parts, ReadOrder, Span


class Counted:
    """An array that counts how often each pixel of it is read."""

    def __init__(self, *shape: int) -> None:
        self.pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
        self.reads = np.zeros(shape, np.int64)

    def __getitem__(self, index: Any) -> np.ndarray:
        self.reads[index] += 1
        return self.pixels[index].copy()


def edges(size: int, chunk: int) -> list[int]:
    return [*range(0, size, chunk), size]


def tiles(size: int, patch: int, step: int) -> list[Span]:
    """Tiles of an axis, the last one shifted to end at the edge."""
    starts = [*range(0, max(1, size - patch), step), max(0, size - patch)]
    return [(start, min(start + patch, size)) for start in dict.fromkeys(starts)]


def run(once: ChunksOnce, parts: list[list[Span]], pixels: np.ndarray) -> None:
    for read in product(*parts):
        part = tuple(slice(*span) for span in read)
        np.testing.assert_array_equal(once[part], pixels[part])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[int]], list[list[Span]]]:
    """Chunks, regular or not, and tiles along three axes."""
    chunks, parts = [], []
    for _ in range(3):
        size = draw(st.integers(1, 14))
        if draw(st.booleans()):
            chunks.append(edges(size, draw(st.integers(1, size))))
        else:
            inner = draw(st.sets(st.integers(1, max(1, size - 1)), max_size=4)) - {size}
            chunks.append(sorted({0, size} | inner))
        patch = draw(st.integers(1, size))
        parts.append(tiles(size, patch, draw(st.integers(1, patch))))
    return chunks, parts


def ordered(parts: list[list[Span]]) -> ReadOrder:
    named = {letter: Parts.of(own) for letter, own in zip("ZYX", parts, strict=True)}
    return ReadOrder(ExpectedReads(named), "ZYX")


@given(cases())
def test_each_chunk_is_read_once_and_let_go_of(
    case: tuple[list[list[int]], list[list[Span]]],
) -> None:
    chunks, parts = case
    data = Counted(*(along[-1] for along in chunks))
    once = ChunksOnce(data, chunks, data.pixels.dtype, ordered(parts))
    run(once, parts, data.pixels)
    covered = np.zeros(data.pixels.shape, bool)
    for read in product(*parts):
        covered[tuple(slice(*span) for span in read)] = True
    assert (data.reads[covered] == 1).all()
    assert data.reads.max() <= 1
    assert once.nbytes == 0


@given(cases(), st.integers(0, 500), st.randoms(use_true_random=False), st.booleans())
def test_any_order_and_any_room_give_the_same_pixels(
    case: tuple[list[list[int]], list[list[Span]]], limit: int, random: Any, known: bool
) -> None:
    chunks, parts = case
    data = Counted(*(along[-1] for along in chunks))
    order = ordered(parts) if known else None
    once = ChunksOnce(data, chunks, data.pixels.dtype, order, limit)
    largest = 2 * int(np.prod([max(b - a for a, b in pairwise(along)) for along in chunks]))
    reads = list(product(*parts))
    random.shuffle(reads)
    for read in reads[: len(reads) // 2] + reads:
        part = tuple(slice(*span) for span in read)
        np.testing.assert_array_equal(once[part], data.pixels[part])
        assert once.nbytes <= max(limit, largest)
    once.clear()
    assert once.nbytes == 0


def decoded(rows: int, columns: int, limit: int, known: bool = True) -> Counter[int]:
    """How often chunks of 16 are read by tiles of 16 with overlaps of 8, row by row."""
    chunk = 16
    data = Counted(rows * chunk, columns * chunk)
    parts = [tiles(size, 16, 8) for size in data.pixels.shape]
    named = {letter: Parts.of(own) for letter, own in zip("YX", parts, strict=True)}
    order = ReadOrder(ExpectedReads(named), "YX")
    chunks = [edges(size, chunk) for size in data.pixels.shape]
    once = ChunksOnce(data, chunks, data.pixels.dtype, order if known else None, limit)
    run(once, parts, data.pixels)
    return Counter(data.reads[::chunk, ::chunk].ravel().tolist())


def test_a_row_of_chunks_and_two_more_are_room_enough() -> None:
    assert decoded(6, 32, 34 * 512) == {1: 6 * 32}


def test_with_less_room_most_of_a_row_is_still_kept() -> None:
    """Keeping those used last keeps none: each is needed again a whole row later."""
    known, unknown = (
        sum(n * count for n, count in decoded(6, 32, 24 * 512, known).items())
        for known in (True, False)
    )
    assert unknown > 2.5 * 6 * 32
    assert known < 0.6 * unknown


def test_rows_and_channels_that_were_taken_as_one_index() -> None:
    data = Counted(3, 8, 8)
    once = ChunksOnce(data, [edges(3, 1), edges(8, 4), edges(8, 4)], data.pixels.dtype)
    for _ in range(2):
        part = once[1, 2:7, 5]
        np.testing.assert_array_equal(part, data.pixels[1, 2:7, 5])
    part[...] = 0
    np.testing.assert_array_equal(once[1, 2:7, 5], data.pixels[1, 2:7, 5])
    assert data.reads.max() == 1


def test_threads_that_want_one_chunk_read_it_once() -> None:
    data = Counted(16, 16)
    once = ChunksOnce(data, [edges(16, 8), edges(16, 8)], data.pixels.dtype)
    together = Barrier(8)

    def read(at: int) -> np.ndarray:
        together.wait()
        return once[at : at + 8, 3:12]

    with ThreadPoolExecutor(8) as pool:
        for at, found in enumerate(pool.map(read, range(8))):
            np.testing.assert_array_equal(found, data.pixels[at : at + 8, 3:12])
    assert (data.reads == 1).all()


@pytest.mark.parametrize("limit", [2**20, 3000])
def test_many_threads_in_the_order_of_tiles(limit: int) -> None:
    data = Counted(64, 96)
    parts = [tiles(64, 24, 16), tiles(96, 24, 16)]
    named = {letter: Parts.of(own) for letter, own in zip("YX", parts, strict=True)}
    order = ReadOrder(ExpectedReads(named), "YX")
    once = ChunksOnce(data, [edges(64, 10), edges(96, 10)], data.pixels.dtype, order, limit)
    reads = [tuple(slice(*span) for span in read) for read in product(*parts)]
    with ThreadPoolExecutor(8) as pool:
        for part, found in zip(reads, pool.map(once.__getitem__, reads), strict=True):
            np.testing.assert_array_equal(found, data.pixels[part])
    assert once.nbytes <= limit
    if limit > data.pixels.nbytes:
        assert (data.reads == 1).all()
        assert once.nbytes == 0


def test_a_failure_is_of_the_one_who_read_and_others_try_again() -> None:
    class Failing(Counted):
        begun, waiting, left = Event(), Event(), 1

        def __getitem__(self, index: Any) -> np.ndarray:
            self.begun.set()
            if self.left:
                self.left -= 1
                self.waiting.wait()
                raise OSError("damaged")
            return super().__getitem__(index)

    data = Failing(4, 4)
    once = ChunksOnce(data, [edges(4, 4)] * 2, data.pixels.dtype)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.__getitem__, (0, slice(0, 4)))
        data.begun.wait()
        second = pool.submit(once.__getitem__, (1, slice(0, 4)))
        data.waiting.set()
        with pytest.raises(OSError, match="damaged"):
            first.result()
        np.testing.assert_array_equal(second.result(), data.pixels[1])
    assert (data.reads == 1).all()


def test_a_chunk_of_another_shape_is_an_error() -> None:
    class Cut(Counted):
        def __getitem__(self, index: Any) -> np.ndarray:
            return super().__getitem__(index)[:3]

    once = ChunksOnce(Cut(4, 4), [edges(4, 4)] * 2, np.dtype("u2"))
    with pytest.raises(ValueError, match=r"\(3, 4\) pixels came where \(4, 4\) are"):
        once[0:2, 0:2]
