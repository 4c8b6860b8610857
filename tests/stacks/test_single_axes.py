"""Axes of one entry: which are left out, and reading without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.stacks.reading.single_axes import WithoutAxes, choose_axes


class Stored:
    """The least of an array-like."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.chunks = (1, *array.shape[1:])

    def __getitem__(self, index: tuple[int | slice, ...]) -> NDArray[Any]:
        assert len(index) == self._array.ndim
        part: NDArray[Any] = self._array[index]
        return part


@pytest.mark.parametrize(
    ("shape", "axes", "kept", "letters"),
    [
        ((3, 2, 5, 7, 8), None, (0, 1, 2, 3, 4), "TCZYX"),
        ((1, 2, 1, 7, 8), None, (1, 3, 4), "CYX"),
        ((1, 1, 1, 1, 1), None, (3, 4), "YX"),
        ((9, 1, 1, 7, 8), "ZYX", (0, 3, 4), "ZYX"),
        ((9, 1, 1, 7, 8), "TCZYX", (0, 1, 2, 3, 4), "TCZYX"),
        ((9, 1, 1, 7, 8), "ZCTYX", (0, 1, 2, 3, 4), "ZCTYX"),
    ],
)
def test_axes_that_stay(
    shape: tuple[int, ...], axes: str | None, kept: tuple[int, ...], letters: str
) -> None:
    assert choose_axes("TCZYX", shape, axes) == (kept, letters)


def test_axes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="CZYX has 4 letters, the image 3 axes 9×7×8"):
        choose_axes("TCZYX", (9, 1, 1, 7, 8), "CZYX")
    with pytest.raises(ValueError, match="'Q' is not an axis"):
        choose_axes("TCZYX", (9, 1, 1, 7, 8), "QYX")


@given(data=st.data(), sizes=st.lists(st.integers(1, 3), min_size=2, max_size=5))
def test_reading_without_axes_equals_squeezing(data: st.DataObject, sizes: list[int]) -> None:
    array = np.arange(np.prod(sizes)).reshape(sizes)
    letters = "TCZYX"[5 - len(sizes) :]
    kept, _ = choose_axes(letters, sizes, None)
    narrowed = WithoutAxes(Stored(array), kept)
    left_out = tuple(at for at in range(len(sizes)) if at not in kept)
    expected = array.squeeze(left_out)
    assert narrowed.shape == expected.shape
    assert narrowed.chunks == tuple((1, *sizes[1:])[at] for at in kept)
    index = tuple(data.draw(st.integers(0, n - 1) | st.just(slice(0, n))) for n in expected.shape)
    np.testing.assert_array_equal(narrowed[index], expected[index])
