"""Arrays computed on demand slice as NumPy's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices
from numpy.typing import NDArray

from napari_tessera.widgets.lazy_array import Bounds, LazyArray


class Wrapped(LazyArray):
    def __init__(self, array: NDArray[Any]) -> None:
        super().__init__(array.shape, array.dtype)
        self.array = array
        self.asked: list[Bounds] = []

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        self.asked.append(bounds)
        return self.array[tuple(slice(a, b) for a, b in bounds)]


NUMBERS = np.arange(4 * 5 * 6).reshape(4, 5, 6)


@given(basic_indices((4, 5, 6), allow_newaxis=False, allow_ellipsis=True))
def test_slices_as_numpy_does(index: Any) -> None:
    np.testing.assert_array_equal(Wrapped(NUMBERS)[index], NUMBERS[index])


@given(st.slices(6))
def test_computes_no_more_than_the_slice_needs(wanted: slice) -> None:
    array = Wrapped(NUMBERS)
    taken = range(6)[wanted]
    _ = array[1, 2, wanted]
    start, stop = array.asked[0][2]
    assert stop - start == (max(taken) - min(taken) + 1 if len(taken) else 0)


def test_other_indices_see_the_whole() -> None:
    np.testing.assert_array_equal(Wrapped(NUMBERS)[[0, 2], 1], NUMBERS[[0, 2], 1])
    np.testing.assert_array_equal(Wrapped(NUMBERS)[NUMBERS > 50], NUMBERS[NUMBERS > 50])


def test_is_an_array_to_numpy() -> None:
    array = Wrapped(NUMBERS)
    np.testing.assert_array_equal(np.asarray(array), NUMBERS)
    assert np.asarray(array, np.float32).dtype == np.float32
    assert (array.ndim, array.size, len(array)) == (3, 120, 4)


def test_is_never_had_without_a_copy() -> None:
    array = Wrapped(NUMBERS)
    assert np.array(array, copy=True).shape == array.shape
    with pytest.raises(ValueError, match="nothing of this array is stored"):
        np.array(array, copy=False)
    assert len(array.asked) == 1


@pytest.mark.parametrize("index", [4, -5, (0, 0, 0, 0)])
def test_refuses_what_numpy_refuses(index: Any) -> None:
    with pytest.raises(IndexError):
        Wrapped(NUMBERS)[index]
