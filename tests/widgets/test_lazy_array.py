"""Arrays computed on demand slice as NumPy's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices
from numpy.typing import NDArray

from napari_tessera.widgets.lazy_array import Bounds, EveryNth, KeptArray, LazyArray


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


def test_what_is_kept_stays_the_same_array_until_it_is_renewed() -> None:
    source = NUMBERS.copy()
    kept = KeptArray(Wrapped(source))
    given = np.asarray(kept)
    source[:] = 0
    np.testing.assert_array_equal(given, NUMBERS)
    np.testing.assert_array_equal(kept[1, 2:4, ::2], NUMBERS[1, 2:4, ::2])
    kept.renew()
    assert np.asarray(kept) is given
    assert not given.any()
    assert np.array(kept, copy=True) is not given
    assert np.asarray(kept, np.float32).dtype == np.float32
    assert len(kept.reads) == 1


@given(
    st.tuples(st.integers(0, 3), st.integers(0, 4)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    basic_indices((2, 2, 6), allow_newaxis=False, allow_ellipsis=True),
)
def test_every_nth_pixel_of_a_part_is_read_and_no_more(
    start: tuple[int, int], steps: tuple[int, int], index: Any
) -> None:
    image = np.arange(12 * 14 * 6).reshape(12, 14, 6)
    watched = Wrapped(image)
    picked = EveryNth(watched, start, steps, (2, 2))
    assert picked.reads == (watched,)
    assert picked.shape == (2, 2, 6)
    assert watched.asked == []
    (y, x), (down, right) = start, steps
    expected = image[y : y + 2 * down : down, x : x + 2 * right : right]
    np.testing.assert_array_equal(picked[index], expected[index])
