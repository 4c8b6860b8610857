"""Tiles that were just finished are seen before they are on disk."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.widgets.recent_tiles import RecentTiles, WithRecent

SHAPE = (3, 6, 7)


@st.composite
def places(draw: st.DrawFn) -> tuple[slice, ...]:
    starts = [draw(st.integers(0, size - 1)) for size in SHAPE]
    return tuple(
        slice(a, draw(st.integers(a + 1, size))) for a, size in zip(starts, SHAPE, strict=True)
    )


@given(st.lists(places(), max_size=4), st.permutations("ZYX"), places())
def test_blocks_lie_over_what_is_on_disk_in_any_order_of_axes(
    written: list[tuple[slice, ...]], order: list[str], asked: tuple[slice, ...]
) -> None:
    recent = RecentTiles(10**6)
    expected = np.zeros(SHAPE, np.float32)
    for number, place in enumerate(written, 1):
        block = np.full(expected[place].shape, number, np.float32)
        recent.put(place, block)
        block[:] = -1
        expected[place] = number
    at = ["ZYX".index(letter) for letter in order]
    on_disk = np.zeros(SHAPE, np.float32).transpose(at)
    shown = WithRecent(on_disk, "".join(order), recent, "ZYX")
    assert shown.reads == (on_disk,)
    wanted = tuple(asked[d] for d in at)
    np.testing.assert_array_equal(shown[wanted], expected.transpose(at)[wanted])
    assert not on_disk.any()


@pytest.mark.parametrize("order", list(permutations("YX")))
def test_an_axis_of_one_may_be_missing(order: tuple[str, ...]) -> None:
    recent = RecentTiles(10**6)
    block = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    recent.put((slice(0, 1), slice(1, 3), slice(2, 5)), block)
    sizes = {"Y": 4, "X": 6}
    shown = WithRecent(np.zeros([sizes[a] for a in order]), "".join(order), recent, "CYX")
    expected = np.zeros((4, 6))
    expected[1:3, 2:5] = block[0]
    if order == ("X", "Y"):
        expected = expected.T
    np.testing.assert_array_equal(np.asarray(shown), expected)


def test_no_more_is_kept_than_there_is_room_for() -> None:
    recent = RecentTiles(4 * 4 * 10)
    for row in range(5):
        recent.put((slice(row, row + 1), slice(0, 10)), np.ones((1, 10), np.float32))
    assert [place[0] for place, _ in recent.meeting(((0, 5), (3, 4)))] == [
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
    ]
    recent.put((slice(1, 2), slice(0, 10)), np.zeros((1, 10), np.float32))
    assert len(recent.meeting(((0, 5), (0, 10)))) == 4
    assert recent.meeting(((1, 2), (0, 1)))[0][1].sum() == 0
    assert recent.meeting(((0, 1), (0, 10))) == []


class Disk:
    """An array that counts how often it is read."""

    def __init__(self, n: int) -> None:
        self.array = np.zeros((n, 10), np.float32)
        self.shape, self.dtype = self.array.shape, self.array.dtype
        self.n_read = 0

    def __getitem__(self, place: tuple[slice, ...]) -> NDArray[np.float32]:
        self.n_read += 1
        return self.array[place]


def test_the_same_place_is_read_from_disk_once_while_what_came_since_is_kept() -> None:
    recent, disk = RecentTiles(4 * 40), Disk(20)
    shown = WithRecent(disk, "YX", recent, "YX")
    assert not shown[0:8].any()
    for row in range(4):
        recent.put((slice(row, row + 1), slice(0, 10)), np.ones((1, 10), np.float32))
    first = shown[0:8]
    assert first[:4].all()
    assert not first[4:].any()
    assert disk.n_read == 1
    assert not shown[4:8].any()
    assert disk.n_read == 2
    before = shown[0:8]
    assert disk.n_read == 3
    # The fifth since displaces the first of them: what it was over may be on disk alone.
    disk.array[:4] = 1
    for row in range(4, 9):
        recent.put((slice(row, row + 1), slice(0, 10)), np.ones((1, 10), np.float32))
    disk.array[4] = 1
    assert shown[0:8].all()
    assert disk.n_read == 4
    assert not before[4:].any()
