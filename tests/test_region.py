"""Parts of an image and where blocks fall in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.region import Region


@given(st.data())
def test_blocks_placed_one_by_one_make_the_region(data: st.DataObject) -> None:
    t, size = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 12))
    chosen = data.draw(st.sets(st.integers(0, t - 1), min_size=1))
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    image = np.arange(t * size * 3).reshape(t, size, 3)
    region = Region.from_selection(
        "TYX", image.shape, {"T": sorted(chosen), "Y": slice(start, stop)}
    )
    out = np.full(region.selected_shape, -1)
    step = data.draw(st.integers(1, 5))
    for i in range(t):
        for at in range(0, size, step):
            block = (slice(i, i + 1), slice(at, min(at + step, size)), slice(0, 3))
            placed = region.place(block)
            if placed is not None:
                out[placed[1]] = image[block][placed[0]]
    assert np.array_equal(out, image[sorted(chosen)][:, start:stop])
    again = Region.from_json("TYX", image.shape, region.to_json())
    assert again.selected_shape == region.selected_shape
    assert [list(i) for i in again.indices] == [list(i) for i in region.indices]


def test_an_int_keeps_its_axis_and_negative_counts_from_the_end() -> None:
    region = Region.from_selection("TYX", (5, 8, 9), {"T": -1, "X": slice(-4, None)})
    assert region.selected_shape == (1, 8, 4)
    assert list(region.along("T")) == [4]
    assert region.bounds("X") == (5, 9)
    assert not region.is_full


def test_indices_from_the_end_may_follow_others() -> None:
    region = Region.from_selection("TYX", (5, 8, 9), {"T": [0, -2, -1]})
    assert list(region.along("T")) == [0, 3, 4]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"Q": 1}, "region names axis 'Q', the image has TYX"),
        ({"T": 7}, "region T: 7 is outside 0…4: give one that is there, counted from 0"),
        ({"Y": slice(3, 3)}, "region Y: 3…3 is empty, the axis has 8: give a start below the stop"),
        (
            {"Y": slice(0, 8, 2)},
            "region Y: step 2 is not supported, only 1: leave it out, and take what you want of "
            "the result",
        ),
        (
            {"T": [2, 0]},
            "region T: [2, 0] is not ascending: give ascending indices, and reorder the result",
        ),
        (
            {"T": [1, 1]},
            "region T: [1, 1] is not ascending: give ascending indices, and reorder the result",
        ),
        (
            {"T": [-1, 0]},
            "region T: [-1, 0] is not ascending: give ascending indices, and reorder the result",
        ),
        (
            {"Y": [7, 6, 5, 4, 3, 2, 1, 0, 0]},
            "region Y: [7, 6, 5, 4, 3, 2, 1, 0, …] is not ascending: give ascending indices, and "
            "reorder the result",
        ),
        ({"T": []}, "region T: no index chosen, the axis has 5: give one or more"),
    ],
)
def test_a_wrong_selection_is_told_in_one_line(selection: dict, message: str) -> None:
    with pytest.raises((ValueError, IndexError)) as raised:
        Region.from_selection("TYX", (5, 8, 9), selection)
    assert str(raised.value) == message
