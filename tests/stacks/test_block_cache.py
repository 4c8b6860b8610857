from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from napari_tessera.stacks.block_cache import BlockCache


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


def test_a_block_above_the_limit_is_not_kept() -> None:
    cache: BlockCache[str] = BlockCache(5)
    assert cache.get("large", lambda: np.zeros(9, np.uint8)).size == 9
    assert cache.nbytes == 0


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
