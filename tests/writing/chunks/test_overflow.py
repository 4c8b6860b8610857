"""Begun chunks that wait outside memory and their array."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.writing.chunks.overflow import Overflow


@given(steps=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=30))
def test_what_is_put_in_comes_back_whatever_else_is(steps: list[tuple[int, int]]) -> None:
    held: dict[int, np.ndarray] = {}
    with closing(Overflow()) as overflow:
        for at, (number, size) in enumerate(steps):
            if number in held:
                found = np.empty_like(held[number])
                overflow.take((number, 0), found)
                np.testing.assert_array_equal(found, held.pop(number))
            else:
                held[number] = np.full((size, 3), at, np.uint16)
                overflow.put((number, 0), held[number])
            assert sorted(overflow) == [(each, 0) for each in sorted(held)]
            assert all((each, 0) in overflow for each in held)


def test_nothing_has_a_name_in_the_folder_and_room_is_used_again(tmp_path: Path) -> None:
    overflow = Overflow(tmp_path)
    pixels = np.arange(20.0)
    for _ in range(3):
        overflow.put((0,), pixels)
        overflow.take((0,), np.empty(20))
    assert overflow._end == pixels.nbytes
    overflow.close()
    overflow.close()
    assert list(tmp_path.iterdir()) == []
    assert (0,) not in overflow


def test_a_folder_without_room_is_named(tmp_path: Path) -> None:
    overflow = Overflow(tmp_path / "none")
    with pytest.raises(OSError, match=r"begun chunks do not fit into .*none .*TMPDIR"):
        overflow.put((0,), np.zeros(3))
