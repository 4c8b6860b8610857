"""Each tile is handed out once, whatever happens to the order meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction import Schedule, TileArea
from napari_tessera.prediction.order import visible_first
from napari_tessera.region import Region


def area(n: int) -> TileArea:
    """An area of n tiles, plane by plane."""
    layout = Layout("TYX", (n, 8, 8))
    region = Region.from_selection("TYX", layout.shape)
    return TileArea(layout, region, TiledPatching([layout.view_shape], (8, 8), (0, 0)))


def rest_of(tiles: Schedule, at_once: int = 3) -> list[int]:
    found: list[int] = []
    while taken := tiles.next(at_once):
        found += taken
    return found


class Blocks(list[int]):
    """Tiles that can be read in blocks, too."""

    def blocks(self) -> Iterator[np.ndarray]:
        for i in range(0, len(self), 3):
            yield np.array(self[i : i + 3], np.int64)


N = 12
tile_lists = st.lists(st.integers(0, N - 1), max_size=2 * N)
fronts = st.one_of(tile_lists, tile_lists.map(Blocks))


class Schedules(RuleBasedStateMachine):
    """A schedule beside the plainest description of what it must do."""

    @initialize(
        done=st.sets(st.integers(0, N - 1), max_size=4),
        skipped=st.sets(st.integers(0, N - 1), max_size=4),
        order=st.none() | tile_lists,
        rest=st.booleans(),
        as_masks=st.booleans(),
    )
    def begin(
        self, done: set[int], skipped: set[int], order: Any, rest: bool, as_masks: bool
    ) -> None:
        given: list[Any] = [done, skipped]
        if as_masks:
            given = [np.isin(np.arange(N), list(tiles)) for tiles in given]
        self.tiles = Schedule(area(N), order=order, done=given[0], skipped=given[1], rest=rest)
        self.skipped = skipped
        self.done = done - skipped
        self.taken: set[int] = set()
        self.rest = rest
        self.wanted = set(order or ()) if not rest else set(range(N))
        self.front: list[int] | None = None
        self.changes = 0

    @property
    def waiting(self) -> set[int]:
        return set(range(N)) - self.skipped - self.done - self.taken

    @rule(n=st.integers(0, 5))
    def next(self, n: int) -> None:
        found = self.tiles.next(n)
        assert len(found) == len(set(found)) <= n
        assert set(found) <= self.waiting & self.wanted
        if self.front is not None:
            # what is in front and waited when it was put there comes first, in its order
            expected = [i for i in dict.fromkeys(self.front) if i in self.waiting][:n]
            assert found[: len(expected)] == expected
        if self.rest:
            assert len(found) == min(n, len(self.waiting))
        self.taken |= set(found)

    @rule(first=fronts)
    def reorder(self, first: list[int]) -> None:
        self.tiles.reorder(first)
        self.front = list(first)
        self.changes += 1
        if not self.rest:
            self.wanted = set(first)

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        tiles = data.draw(st.lists(st.sampled_from(range(N)), max_size=5))
        self.tiles.give_back(tiles)
        if self.taken & set(tiles):
            # these have been read off the front already
            self.front = None
        self.taken -= set(tiles)

    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        tiles = data.draw(st.lists(st.sampled_from(range(N)), max_size=3))
        self.tiles.again(tiles)
        if self.done & set(tiles):
            self.front = None
        self.done -= set(tiles)

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(sorted(self.taken) or range(N)))
        self.tiles.finish(index)
        if index not in self.skipped:
            self.taken.discard(index)
            self.done.add(index)

    @invariant()
    def says_how_things_are(self) -> None:
        if not hasattr(self, "tiles"):
            return
        assert self.tiles.changes == self.changes
        assert self.tiles.done() == sorted(self.done)
        assert self.tiles.done_mask() == bytearray(i in self.done for i in range(N))
        assert self.tiles.n_done == len(self.done)
        assert self.tiles.n_wanted == N - len(self.skipped)
        assert self.tiles.n_tiles == N

    def teardown(self) -> None:
        if not hasattr(self, "tiles"):
            return
        if not self.rest:
            self.tiles.reorder(range(N))
        assert set(rest_of(self.tiles)) == self.waiting


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(max_examples=60, stateful_step_count=25)


def test_chunk_order_goes_on_behind_the_front() -> None:
    tiles = Schedule(area(20))
    assert tiles.next(3) == [0, 1, 2]
    tiles.reorder([15, 1, 14, 14])
    assert tiles.next(3) == [15, 14, 3]
    tiles.reorder([9])
    tiles.reorder([8, 7])
    assert tiles.next(4) == [8, 7, 4, 5]
    tiles.give_back([5, 7, 4])
    assert tiles.next(3) == [4, 5, 6]
    assert rest_of(tiles) == [7, *range(9, 14), *range(16, 20)]


def test_an_order_that_was_given_goes_on_behind_the_front() -> None:
    tiles = Schedule(area(10), order=[9, 7, 5, 3])
    assert tiles.next(2) == [9, 7]
    tiles.reorder([0, 1])
    tiles.give_back([9, 7])
    assert tiles.next(1) == [0]
    assert rest_of(tiles) == [1, 9, 7, 5, 3, 2, 4, 6, 8]


def test_only_what_is_in_front_is_handed_out_where_the_rest_is_not_wanted() -> None:
    tiles = Schedule(area(10), rest=False)
    assert tiles.next(4) == []
    tiles.reorder([6, 5, 4])
    assert tiles.next(2) == [6, 5]
    tiles.give_back([5])
    assert tiles.next(5) == [4, 5]
    tiles.reorder([3, 5])
    tiles.give_back([4, 5])
    assert rest_of(tiles) == [3, 5]
    assert Schedule(area(10), order=[2, 1], rest=False).next(5) == [2, 1]


def test_what_waits_again_comes_again() -> None:
    tiles = Schedule(area(5), done=range(5))
    assert tiles.next(5) == []
    tiles.again([3, 1])
    assert tiles.n_done == 3
    assert tiles.next(5) == [1, 3]
    tiles.give_back([0])
    assert tiles.next(5) == []


def test_skipped_tiles_count_nowhere() -> None:
    tiles = Schedule(area(6), skipped=np.arange(6) % 2 == 0, done=[1])
    assert (tiles.n_tiles, tiles.n_wanted, tiles.n_done) == (6, 3, 1)
    tiles.reorder(range(6))
    assert tiles.next(9) == [3, 5]
    tiles.finish(0)
    assert tiles.done() == [1]


def test_a_thousand_fronts_are_not_nested() -> None:
    tiles = Schedule(area(50))
    for _ in range(20_000):
        tiles.reorder([7])
        tiles.give_back(tiles.next(1))
    tiles.reorder([7])
    assert rest_of(tiles) == [7, *range(7), *range(8, 50)]


def test_a_new_front_does_not_wait_for_who_takes_tiles() -> None:
    """A thread that reads a long front holds the lock: the GUI's thread must get by."""
    tiles = Schedule(area(9))
    reads, goes_on = threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        reads.set()
        assert goes_on.wait(20)
        yield 4

    tiles.reorder(slow())
    taken: list[int] = []
    thread = threading.Thread(target=lambda: taken.extend(tiles.next(1)))
    thread.start()
    assert reads.wait(20)
    tiles.reorder([8])
    assert tiles.changes == 2
    goes_on.set()
    thread.join(20)
    assert taken == [4]
    assert tiles.next(2) == [8, 0]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), rest=st.booleans())
def test_several_threads_get_each_tile_once(seed: int, rest: bool) -> None:
    n = 400
    tiles = Schedule(area(n), rest=rest, skipped=range(0, n, 7))
    finished: list[list[int]] = [[] for _ in range(4)]
    start = threading.Barrier(6, timeout=20)

    def take(own: list[int], rng: np.random.Generator) -> None:
        start.wait()
        while tiles.n_done < tiles.n_wanted:
            found = tiles.next(int(rng.integers(1, 5)))
            keep = int(rng.integers(0, len(found) + 1))
            tiles.give_back(found[keep:])
            for index in found[:keep]:
                own.append(index)
                tiles.finish(index)

    over = threading.Event()

    def disturb(rng: np.random.Generator) -> None:
        start.wait()
        while not over.is_set():
            tiles.reorder(Blocks(rng.permutation(n).tolist()))
            tiles.give_back(())

    generators = [np.random.default_rng([seed, i]) for i in range(6)]
    takers = [
        threading.Thread(target=take, args=(own, rng))
        for own, rng in zip(finished, generators, strict=False)
    ]
    others = [threading.Thread(target=disturb, args=(rng,)) for rng in generators[4:]]
    for thread in (*takers, *others):
        thread.start()
    for thread in takers:
        thread.join(60)
    over.set()
    for thread in others:
        thread.join(20)
    assert sorted(chain.from_iterable(finished)) == [i for i in range(n) if i % 7]
    assert tiles.done() == [i for i in range(n) if i % 7]


def test_numbers_of_a_huge_grid_are_never_listed() -> None:
    layout = Layout("TYX", (1000, 80_000, 80_000))
    region = Region.from_selection("TYX", layout.shape)
    grid = TileArea(layout, region, TiledPatching([layout.view_shape], (256, 256), (0, 0)))
    assert grid.n_tiles == 1000 * 313 * 313
    tiles = Schedule(grid)
    tiles.reorder(visible_first(grid, {"T": 999}, {"Y": 0, "X": 0}))
    assert tiles.next(2) == [999 * 313 * 313, 999 * 313 * 313 + 1]
    tiles.reorder(())
    assert tiles.next(2) == [0, 1]
