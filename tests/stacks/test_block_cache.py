from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from napari_tessera.stacks.reading.block_cache import BlockCache


def test_keeps_what_was_used_last_within_the_limit() -> None:
    made: list[int] = []

    def block(number: int) -> np.ndarray:
        made.append(number)
        return np.full(10, number, np.uint8)

    cache: BlockCache[int] = BlockCache(25)
    for number in (1, 2, 1, 3, 1, 2):
        assert (cache.get(number, lambda n=number: block(n)) == number).all()
    assert made == [1, 2, 3, 2]
    assert cache.nbytes == 20


def test_a_block_above_the_limit_is_kept_alone() -> None:
    made: list[str] = []

    def block(key: str, size: int) -> np.ndarray:
        made.append(key)
        return np.zeros(size, np.uint8)

    cache: BlockCache[str] = BlockCache(5)
    for key, size in (("small", 3), ("large", 9), ("large", 9), ("small", 3)):
        assert cache.get(key, lambda k=key, n=size: block(k, n)).size == size
    assert made == ["small", "large", "small"]
    assert cache.nbytes == 3


def test_counts_right_with_many_threads() -> None:
    cache: BlockCache[int] = BlockCache(1000)
    with ThreadPoolExecutor(8) as threads:
        keys = [number % 37 for number in range(2000)]
        found = list(threads.map(lambda k: cache.get(k, lambda: np.full(90, k, np.uint8)), keys))
    assert all((block == key).all() for key, block in zip(keys, found, strict=True))
    assert cache.nbytes <= 1000
    assert cache.nbytes % 90 == 0
    cache.clear()
    assert cache.nbytes == 0


def test_threads_that_want_the_same_block_make_it_once() -> None:
    cache: BlockCache[int] = BlockCache(1000)
    made: list[int] = []
    together = Barrier(8)

    def make() -> np.ndarray:
        made.append(1)
        return np.zeros(100, np.uint8)

    def ask(_: int) -> np.ndarray:
        together.wait()
        return cache.get(1, make)

    with ThreadPoolExecutor(8) as threads:
        blocks = list(threads.map(ask, range(8)))
    assert len(made) == 1
    assert all(block is blocks[0] for block in blocks)


def test_a_block_that_cannot_be_made_fails_for_all_who_wait_and_holds_up_nobody() -> None:
    cache: BlockCache[int] = BlockCache(1000)
    together = Barrier(6)

    def fail() -> np.ndarray:
        raise OSError("damaged")

    def ask(_: int) -> str:
        together.wait()
        with pytest.raises(OSError, match="damaged"):
            cache.get(1, fail)
        return "failed"

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(ask, range(6))) == ["failed"] * 6
    assert cache.get(1, lambda: np.ones(4, np.uint8)).size == 4
