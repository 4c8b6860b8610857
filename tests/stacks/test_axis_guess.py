from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.axes import validate_axes
from napari_tessera.stacks import guess_axes


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((512, 512), "YX"),
        ((2, 3), "YX"),
        ((60, 512, 512), "ZYX"),
        ((1, 512, 512), "ZYX"),
        ((3, 512, 512), "CYX"),
        ((512, 512, 3), "YXC"),
        ((10, 512, 512, 2), "ZYXC"),
        ((100, 30, 512, 512), "TZYX"),
        ((100, 2, 512, 512), "ZCYX"),
        ((3, 5, 2, 196, 171), "TZCYX"),
        ((9, 8, 7, 64, 64), "STZYX"),
        ((9, 8, 7, 6, 64, 64), "CSTZYX"),
    ],
)
def test_from_the_shape(shape: tuple[int, ...], axes: str) -> None:
    assert guess_axes(shape) == axes


@pytest.mark.parametrize(
    ("shape", "labels", "axes"),
    [
        ((5, 6, 7), ("t", "y", "x"), "TYX"),
        ((5, 6, 7), ("Time", "Row", "Column"), "TYX"),
        ((3, 64, 64), ("z", "y", "x"), "ZYX"),
        ((64, 64, 30), ("y", "x", "z"), "YXZ"),
        ((4, 5, 6, 7), ("frame", "channel", "height", "width"), "TCYX"),
        # napari's own labels, and words that are no axes, say nothing
        ((9, 64, 64), ("-3", "-2", "-1"), "ZYX"),
        ((9, 64, 64), ("angle", None, None), "ZYX"),
        # some of them known: the others are guessed
        ((9, 8, 64, 64), ("z", "-3", "-2", "-1"), "ZTYX"),
        # a label that comes twice counts once; labels without room for Y and X do not count
        ((9, 64, 64), ("z", "z", "x"), "ZYX"),
        ((9, 64), ("z", "x"), "YX"),
    ],
)
def test_from_labels(shape: tuple[int, ...], labels: Any, axes: str) -> None:
    assert guess_axes(shape, axis_labels=labels) == axes


def test_colours_come_last() -> None:
    assert guess_axes((64, 64, 3), rgb=True) == "YXC"
    assert guess_axes((9, 64, 64, 4), rgb=True, axis_labels=("time", "y", "x")) == "TYXC"
    assert guess_axes((9, 5, 5, 4), rgb=True) == "ZYXC"


def test_an_axis_chunked_by_itself_is_not_x() -> None:
    assert guess_axes((2048, 2048, 60), chunks=(256, 256, 1)) == "YXZ"
    assert guess_axes((2048, 2048, 60), chunks=(1, 2048, 60)) == "ZYX"


@pytest.mark.parametrize("shape", [(), (5,), (2,) * 7])
def test_refuses_other_numbers_of_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"has {len(shape)} axes; from 2 to 6 are possible"):
        guess_axes(shape)


@given(data=st.data(), shape=st.lists(st.integers(1, 40), min_size=2, max_size=6))
def test_always_gives_axes_that_fit(data: st.DataObject, shape: list[int]) -> None:
    words = st.none() | st.sampled_from(["z", "time", "channel", "x", "Y", "?", "sample"])
    labels = data.draw(st.none() | st.lists(words, min_size=len(shape), max_size=len(shape)))
    chunks = data.draw(
        st.none() | st.lists(st.integers(1, 9), min_size=len(shape), max_size=len(shape))
    )
    rgb = len(shape) > 2 and data.draw(st.booleans())
    validate_axes(guess_axes(shape, rgb, labels, chunks), shape)
