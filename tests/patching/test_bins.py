"""Numbers of patches over stacks and samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching.bins import (
    SampleBins,
    checked_index,
    locate,
    stack_indices,
    unravel,
)

counts = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=5)


@given(counts)
def test_patches_are_numbered_stack_by_stack_and_sample_by_sample(
    counted: list[tuple[int, int]],
) -> None:
    bins = SampleBins(counted)
    expected = [
        (data_idx, sample, patch)
        for data_idx, (samples, patches) in enumerate(counted)
        for sample in range(samples)
        for patch in range(patches)
    ]
    assert bins.n_patches == len(expected)
    assert [bins.locate(index) for index in range(bins.n_patches)] == expected
    for data_idx in range(len(counted)):
        numbers = bins.indices(data_idx)
        assert list(numbers) == [i for i, at in enumerate(expected) if at[0] == data_idx]
        assert bins.count(data_idx) == len(numbers)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any))
def test_a_stack_without_patches_is_passed_over(numbers: list[int]) -> None:
    bins = np.cumsum(numbers).tolist()
    found = [locate(bins, index)[0] for index in range(bins[-1])]
    assert found == [data_idx for data_idx, n in enumerate(numbers) for _ in range(n)]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_a_number_in_a_grid_is_in_c_order(grid: list[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, int(np.prod(grid)) - 1))
    assert unravel(number, grid) == tuple(int(i) for i in np.unravel_index(number, grid))


def test_there_is_no_largest_number_of_patches() -> None:
    bins = SampleBins([(10**30, 10**40), (3, 5)])
    assert bins.n_patches == 10**70 + 15
    assert bins.count(0) == 10**70
    assert bins.locate(10**70 - 1) == (0, 10**30 - 1, 10**40 - 1)
    assert bins.locate(10**70 + 7) == (1, 1, 2)
    assert unravel(10**70 - 1, (10**30, 10**40)) == (10**30 - 1, 10**40 - 1)


def test_what_is_outside_is_told() -> None:
    with pytest.raises(IndexError, match=r"^patch 5 is outside 0…4$"):
        locate([2, 5], 5)
    with pytest.raises(IndexError, match=r"^patch -1 is outside 0…4$"):
        locate([2, 5], -1)
    with pytest.raises(IndexError, match=r"^image stack 2 is outside 0…1$"):
        stack_indices([2, 5], 2)
    with pytest.raises(IndexError, match=r"^patch 0 is not there: there is none$"):
        locate([0], 0)
    with pytest.raises(IndexError, match=r"^image stack -3 is outside 0…$"):
        checked_index("image stack", -3)


def test_numbers_of_numpy_pass_and_what_is_none_does_not() -> None:
    assert locate([2, 5], np.int64(3)) == (1, 1)
    assert locate([2, 5], np.array(3)) == (1, 1)
    assert type(locate([2, 5], np.uint8(3))[1]) is int
    for index in (1.0, np.float64(1), "1", None):
        with pytest.raises(TypeError, match=r"is not a whole number$"):
            locate([2, 5], index)
