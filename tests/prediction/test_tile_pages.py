"""States of tiles in pages are those of one byte per tile, whatever is done to them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction import Schedule, TileArea
from napari_tessera.prediction.inside.kept import KeptTiles
from napari_tessera.prediction.schedule import DONE, SKIPPED, TAKEN, WAITING
from napari_tessera.prediction.tile_pages import PAGE, TilePages
from napari_tessera.region import Region

N = 2 * PAGE + 300
STATES = 4

state = st.integers(0, STATES - 1)
near_edges = st.sampled_from([0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 1, 2 * PAGE, N - 1])
tile = near_edges | st.integers(0, N - 1)
spans = st.tuples(tile, tile).map(lambda ends: (min(ends), max(ends) + 1))


class Pages(RuleBasedStateMachine):
    """Pages beside a plain array."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = TilePages(N, STATES)
        self.plain = np.zeros(N, np.uint8)

    @rule(tile=tile, state=state)
    def set_one(self, tile: int, state: int) -> None:
        self.pages[tile] = state
        self.plain[tile] = state

    @rule(tiles=st.lists(tile, max_size=8), state=state)
    def put(self, tiles: list[int], state: int) -> None:
        self.pages.put(np.array(tiles, np.int64), state)
        self.plain[tiles] = state

    @rule(span=spans, state=state)
    def fill(self, span: tuple[int, int], state: int) -> None:
        self.pages.fill(*span, state)
        self.plain[slice(*span)] = state

    @rule(span=spans, state=state, seed=st.integers(0, 99), share=st.sampled_from([0, 0.5, 1]))
    def put_where(self, span: tuple[int, int], state: int, seed: int, share: float) -> None:
        chosen = np.random.default_rng(seed).random(span[1] - span[0]) < share
        self.pages.put_where(span[0], chosen, state)
        self.plain[slice(*span)][chosen] = state

    @rule(start=tile)
    def find_first(self, start: int) -> None:
        there = np.flatnonzero(self.plain[start:] == 0)
        assert self.pages.find_first(start) == (start + there[0] if there.size else -1)

    @rule(tiles=st.lists(tile, max_size=20))
    def look(self, tiles: list[int]) -> None:
        assert self.pages.at(np.array(tiles, np.int64)).tolist() == self.plain[tiles].tolist()
        assert [self.pages[tile] for tile in tiles] == self.plain[tiles].tolist()

    @invariant()
    def are_alike(self) -> None:
        assert len(self.pages) == N
        for state in range(STATES):
            has = self.plain == state
            assert self.pages.count(state) == int(has.sum())
            assert self.pages.mask(state) == bytearray(has)
            found = [n for tiles in self.pages.numbers(state) for n in tiles.tolist()]
            assert found == np.flatnonzero(has).tolist()
        parts = [self.plain[i : i + PAGE] for i in range(0, N, PAGE)]
        assert self.pages.n_mixed == sum((part != part[0]).any() for part in parts)


TestPages = Pages.TestCase
TestPages.settings = settings(max_examples=40, stateful_step_count=20)


@pytest.mark.parametrize("number", [-1, N])
def test_a_tile_that_is_not_there(number: int) -> None:
    pages = TilePages(N, STATES)
    with pytest.raises(IndexError, match=f"tile {number} is outside 0…{N - 1}"):
        pages[number]
    with pytest.raises(IndexError, match=f"tile {number} is outside"):
        pages[number] = 1
    with pytest.raises(IndexError, match=f"tile {number} is outside"):
        pages.put(np.array([3, number]), 1)
    assert pages.count(0) == N


def test_no_tiles() -> None:
    pages = TilePages(0, STATES)
    assert (pages.find_first(0), pages.mask(0), list(pages.numbers(0))) == (-1, bytearray(), [])


class Plain:
    """What a schedule does, on one byte per tile."""

    def __init__(self, order: list[int] | None, states: np.ndarray, rest: bool) -> None:
        self.states, self.rest = states, rest
        self.front: Iterator[int] = iter(()) if rest else iter(order or ())
        self.followed = self.front
        self.order: Iterator[int] = iter(order or ()) if rest else iter(())
        self.handed: set[int] = set()
        self.returned: list[int] = []

    def follow(self) -> None:
        if self.front is not self.followed:
            self.followed = self.front
            if not self.rest:
                self.handed, self.returned = set(), []

    def next(self, n: int) -> list[int]:
        self.follow()
        taken: list[int] = []
        while len(taken) < n and (found := self.one()) is not None:
            self.states[found] = TAKEN
            taken.append(found)
        return taken

    def one(self) -> int | None:
        for index in self.followed:
            if self.states[index] == WAITING:
                if not self.rest:
                    self.handed.add(index)
                return index
        while self.returned:
            index = self.returned.pop(0)
            if self.states[index] == WAITING:
                self.handed.add(index)
                return index
        for index in self.order:
            if self.states[index] == WAITING:
                self.handed.add(index)
                return index
        waiting = np.flatnonzero(self.states == WAITING)
        return int(waiting[0]) if self.rest and waiting.size else None

    def give_back(self, tiles: list[int]) -> None:
        self.follow()
        for index in tiles:
            if self.states[index] == TAKEN:
                self.states[index] = WAITING
                if index in self.handed and index not in self.returned:
                    self.returned.append(index)
            self.handed.discard(index)

    def finish(self, index: int) -> None:
        self.handed.discard(index)
        if self.states[index] != SKIPPED:
            self.states[index] = DONE


class Blocks(list[int]):
    """Tiles that can be read in blocks, too."""

    def blocks(self) -> Iterator[np.ndarray]:
        for i in range(0, len(self), 7):
            yield np.array(self[i : i + 7], np.int64)


def area(n: int, kept: KeptTiles | None = None) -> TileArea:
    """An area of n tiles, plane by plane."""
    layout = Layout("TYX", (n, 8, 8))
    region = Region.from_selection("TYX", layout.shape)
    return TileArea(layout, region, TiledPatching([layout.view_shape], (8, 8), (0, 0)), kept)


stretches = spans.map(lambda span: list(range(*span)))
orders = st.lists(tile, max_size=12) | stretches | stretches.map(lambda tiles: tiles[::-1])


class Schedules(RuleBasedStateMachine):
    """A schedule of several pages beside one that keeps a byte per tile."""

    @initialize(
        done=orders,
        skipped=orders,
        kept=st.none() | spans,
        order=st.none() | orders,
        rest=st.booleans(),
    )
    def begin(
        self,
        done: list[int],
        skipped: list[int],
        kept: tuple[int, int] | None,
        order: list[int] | None,
        rest: bool,
    ) -> None:
        states = np.full(N, WAITING, np.uint8)
        states[done] = DONE
        states[skipped] = SKIPPED
        of_mask = None
        if kept is not None:
            mask = np.zeros((N, 1, 1), bool)
            mask[slice(*kept)] = True
            states[~mask.ravel()] = SKIPPED
            of_mask = KeptTiles.of("TYX", mask)
        self.plain = Plain(order, states, rest)
        self.tiles = Schedule(area(N, of_mask), order=order, done=done, skipped=skipped, rest=rest)

    @rule(n=st.sampled_from([0, 1, 3, PAGE, PAGE + 7]))
    def next(self, n: int) -> None:
        assert self.tiles.next(n) == self.plain.next(n)

    @rule(first=orders | orders.map(Blocks))
    def reorder(self, first: list[int]) -> None:
        self.tiles.reorder(first)
        self.plain.front = iter(first)
        if isinstance(first, Blocks):
            # tiles that do not wait when their block is read are passed by
            states = self.plain.states
            self.plain.front = (
                index
                for block in first.blocks()
                for index in block[states[block] == WAITING].tolist()
            )

    @rule(tiles=orders)
    def give_back(self, tiles: list[int]) -> None:
        self.tiles.give_back(tiles)
        self.plain.give_back(tiles)

    @rule(tiles=orders)
    def again(self, tiles: list[int]) -> None:
        self.tiles.again(tiles)
        done = [tile for tile in tiles if self.plain.states[tile] == DONE]
        self.plain.states[done] = WAITING

    @rule(tiles=orders)
    def finish(self, tiles: list[int]) -> None:
        for tile in tiles:
            self.tiles.finish(tile)
            self.plain.finish(tile)

    @rule()
    def release(self) -> None:
        self.tiles.release()
        self.plain.give_back(np.flatnonzero(self.plain.states == TAKEN).tolist())

    @invariant()
    def say_the_same(self) -> None:
        if not hasattr(self, "tiles"):
            return
        is_done = self.plain.states == DONE
        assert self.tiles.done_mask() == bytearray(is_done)
        assert self.tiles.done() == np.flatnonzero(is_done).tolist()
        assert self.tiles.n_done == int(is_done.sum())
        assert self.tiles.n_wanted == int((self.plain.states != SKIPPED).sum())

    def teardown(self) -> None:
        if hasattr(self, "tiles"):
            assert self.tiles.next(N) == self.plain.next(N)


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(max_examples=40, stateful_step_count=15)


def huge(kept: KeptTiles | None = None) -> TileArea:
    """10^8 tiles of one plane."""
    layout = Layout("YX", (2_080_000, 2_080_000))
    region = Region.from_selection("YX", layout.shape)
    grid = TiledPatching([layout.view_shape], (256, 256), (48, 48))
    return TileArea(layout, region, grid, kept)


def measured(make: Any) -> tuple[Any, float]:
    """What is made, and the most memory that took meanwhile, in MB."""
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_a_schedule_of_a_hundred_million_tiles_takes_a_few_megabytes() -> None:
    def through() -> Schedule:
        tiles = Schedule(huge())
        assert tiles.n_tiles == 10**8
        for _ in range(4):
            for index in tiles.next(1000):
                tiles.finish(index)
        tiles.reorder(range(10**8 - 5, 10**8))
        assert tiles.next(6) == [*range(10**8 - 5, 10**8), 4000]
        return tiles

    tiles, megabytes = measured(through)
    assert tiles.n_done == 4000
    assert megabytes < 10
    # all of it is finished: as little again
    done, megabytes = measured(lambda: Schedule(huge(), done=range(10**8 - 1)))
    assert done.next(5) == [10**8 - 1]
    assert megabytes < 10


def test_a_mask_over_a_hundred_million_tiles_is_not_unpacked() -> None:
    side = 10_000
    # what an outline leaves: of each row another stretch
    rows = np.stack([side // 4 + np.arange(side) // 5, np.full(side, 2 * side // 4)], axis=1)
    ends = np.stack([rows[:, 0], rows.sum(axis=1)], axis=1) + side * np.arange(side)[:, None]
    runs = np.diff(np.concatenate([[0], ends.ravel(), [side**2]])).tolist()
    kept = KeptTiles("YX", (side, side), tuple(runs))
    tiles, megabytes = measured(lambda: Schedule(huge(kept)))
    assert tiles.n_wanted == side * (side // 2) == kept.n_kept
    assert tiles.next(2) == [side // 4, side // 4 + 1]
    assert megabytes < 30


@pytest.mark.parametrize(
    ("axes", "stored"), [("TYX", "T"), ("TYX", "TX"), ("TZYX", "YX"), ("TZYX", "ZY"), ("YX", "YX")]
)
def test_parts_of_a_mask_are_the_mask(
    axes: str, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    sizes = {"T": 5, "Z": 3, "Y": 7, "X": 4}
    shape = [sizes[letter] for letter in axes]
    mask = rng.random([sizes[letter] if letter in stored else 1 for letter in axes]) < 0.5
    kept = KeptTiles.of(axes, np.broadcast_to(mask, shape))
    assert kept.axes == stored
    for at_once in (1, 9, 2**20):
        monkeypatch.setattr("napari_tessera.prediction.inside.kept.AT_ONCE", at_once)
        skipped = np.zeros(int(np.prod(shape)), bool)
        seen = 0
        for start, part in kept.skipped_blocks(axes, shape):
            assert start == seen
            skipped[start : start + part.size] = part
            seen += part.size
        assert seen == skipped.size
        assert (skipped == ~np.broadcast_to(mask, shape).ravel()).all()
