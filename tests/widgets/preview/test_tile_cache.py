"""Denoised tiles in memory: what is kept, and what goes first."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from napari_tessera.widgets.preview.tile_cache import (
    OVERHEAD,
    TileCache,
    default_budget,
    tile_bytes,
)
from napari_tessera.writing import ImageRegionData


def region(pixels: int = 100, fill: float = 0) -> ImageRegionData:
    """A core and its input."""
    told = {"input": np.zeros((1, 1, pixels), np.uint16), "tile_index": 0}
    data = np.full((1, 1, pixels), fill, np.float32)
    return ImageRegionData(data, "array", (1, 1, 1, pixels), "uint16", "YX", (1, pixels), {}, told)  # type: ignore[typeddict-item]


EACH = tile_bytes(region())


def test_a_tile_takes_its_pixels_and_its_input() -> None:
    assert EACH == 100 * (4 + 2) + OVERHEAD
    bare = region()._replace(additional_metadata={"input": None})
    assert tile_bytes(bare) == 100 * 4 + OVERHEAD


def test_a_quarter_of_the_free_memory_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    free: Any = type("Free", (), {"available": 8_000_000_000})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert default_budget() == 2_000_000_000


def test_what_was_looked_at_longest_ago_goes_first() -> None:
    cache = TileCache(3 * EACH)
    for number in range(3):
        cache.put("a", number, region())
    cache.show({"a": [0]})
    cache.show({})
    cache.put("a", 3, region())
    assert sorted(cache.tiles("a")) == [0, 2, 3]
    assert cache.get("a", 1) is None
    assert cache.get("b", 0) is None


def test_what_is_on_screen_stays_even_where_it_is_too_much() -> None:
    cache = TileCache(2 * EACH)
    cache.show({"a": range(4), "b": [0]})
    for number in range(4):
        cache.put("a", number, region())
    cache.put("b", 0, region())
    cache.put("b", 1, region())
    assert sorted(cache.tiles("a")) == [0, 1, 2, 3]
    assert sorted(cache.tiles("b")) == [0]
    cache.show({"a": [2]})
    assert sorted(cache.tiles("a")) == [2, 3] or sorted(cache.tiles("a")) == [2]
    assert cache.used <= cache.budget


def test_a_smaller_budget_holds_at_once() -> None:
    cache = TileCache(10 * EACH)
    for number in range(10):
        cache.put("a", number, region())
    cache.budget = 4 * EACH
    assert sorted(cache.tiles("a")) == [6, 7, 8, 9]
    assert cache.used == 4 * EACH


def test_a_tile_that_comes_again_takes_the_place_of_the_first() -> None:
    cache = TileCache(10 * EACH)
    cache.put("a", 0, region(fill=1))
    cache.put("a", 0, region(fill=2))
    there = cache.get("a", 0)
    assert there is not None
    assert there.data[0, 0, 0] == 2
    assert (len(cache), cache.used) == (1, EACH)


def test_an_image_is_forgotten_with_all_its_settings() -> None:
    cache = TileCache(10 * EACH)
    for name in ("one:a", "one:b", "two:a"):
        cache.put(name, 0, region())
    cache.show({"one:a": [0], "two:a": [0]})
    cache.forget("one")
    assert [len(cache.tiles(name)) for name in ("one:a", "one:b", "two:a")] == [0, 0, 1]
    assert cache.used == EACH


def test_a_core_keeps_nothing_of_its_tile_alive() -> None:
    tile = np.zeros((1, 500, 500), np.float32)
    told = {"input": tile[:, :10, :10]}
    cut = region()._replace(data=tile[:, 5:15, 5:15], additional_metadata=told)
    cache = TileCache(2**20)
    cache.put("a", 0, cut)
    kept = cache.get("a", 0)
    assert kept is not None
    assert kept.data.base is None
    assert kept.additional_metadata["input"].base is None


class CacheMachine(RuleBasedStateMachine):
    """Whatever is asked of the cache, its book-keeping is true."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = TileCache(5 * EACH)
        self.shown: dict[str, set[int]] = {}

    @rule(name=st.sampled_from("ab"), number=st.integers(0, 9), pixels=st.integers(1, 300))
    def put(self, name: str, number: int, pixels: int) -> None:
        self.cache.put(name, number, region(pixels))
        if number in self.shown.get(name, ()):
            assert self.cache.get(name, number) is not None

    @rule(name=st.sampled_from("ab"), numbers=st.sets(st.integers(0, 9)))
    def show(self, name: str, numbers: set[int]) -> None:
        before = {n for n in numbers if self.cache.get(name, n) is not None}
        self.shown = {name: numbers}
        self.cache.show(self.shown)
        assert before <= set(self.cache.tiles(name))

    @rule(tiles=st.integers(0, 12))
    def resize(self, tiles: int) -> None:
        self.cache.budget = tiles * EACH

    @rule(name=st.sampled_from("ab"))
    def forget(self, name: str) -> None:
        self.cache.forget(name)
        self.shown.pop(name, None)
        assert not self.cache.tiles(name)

    @invariant()
    def counts(self) -> None:
        there = {name: self.cache.tiles(name) for name in "ab"}
        assert self.cache.used == sum(tile_bytes(t) for of in there.values() for t in of.values())
        assert len(self.cache) == sum(map(len, there.values()))
        if self.cache.used > self.cache.budget:
            assert all(set(of) <= self.shown.get(name, set()) for name, of in there.items())


TestCacheMachine = CacheMachine.TestCase


@given(st.lists(st.integers(0, 30), max_size=40))
def test_threads_do_not_spoil_it(numbers: list[int]) -> None:
    cache = TileCache(8 * EACH)

    def work(name: str) -> None:
        for number in numbers:
            cache.put(name, number, region())
            cache.show({name: [number]})
            dict(cache.tiles(name))

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) == len(cache.tiles("a")) + len(cache.tiles("b"))
    assert cache.used == len(cache) * EACH
