from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks.reading.number_set import NumberSet

NUMBERS = st.one_of(st.integers(0, 100), st.integers(0, 10**5), st.integers(0, 10**30))


@given(st.lists(NUMBERS))
def test_it_is_a_set(numbers: list[int]) -> None:
    found, expected = NumberSet(), set[int]()
    for number in numbers:
        assert (number in found) == (number in expected)
        assert found.add(number) == (number not in expected)
        expected.add(number)
        assert number in found
        assert len(found) == len(expected)


def test_memory_is_bounded() -> None:
    numbers = NumberSet(most_pages=2)
    assert numbers.add(0)
    assert numbers.add(10**9)
    assert not numbers.add(10**12), "a third page"
    assert 10**12 not in numbers
    assert numbers.add(1), "on a page that is there"
    assert len(numbers) == 3


def test_each_number_is_new_to_one_thread() -> None:
    numbers = NumberSet()
    with ThreadPoolExecutor(4) as threads:
        new = threads.map(numbers.add, list(range(2000)) * 4)
    assert sum(new) == len(numbers) == 2000
