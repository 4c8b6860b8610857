"""The order of patches."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.training.data.order import PatchOrder

COUNTS = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)


def ranges(counts: list[int]) -> NDArray[np.int64]:
    ends = np.cumsum(counts)
    return np.stack([ends - counts, ends], axis=1)


def indices(order: PatchOrder, positions: range) -> list[int]:
    found = []
    for position in positions:
        window = order.window(position)
        found.append(int(window.indices[position - window.first]))
    return found


@given(COUNTS, st.integers(0, 9), st.integers(1, 9), st.integers(1, 5))
def test_each_pass_has_every_patch_once(
    counts: list[int], seed: int, per_visit: int, visits: int
) -> None:
    order = PatchOrder(ranges(counts), seed, per_visit, visits)
    n = sum(counts)
    assert order.n_patches == n
    for of_pass in range(3):
        assert sorted(indices(order, range(of_pass * n, (of_pass + 1) * n))) == list(range(n))


@given(COUNTS, st.integers(0, 9), st.integers(1, 9), st.integers(1, 5), st.data())
def test_a_position_says_all_whatever_was_asked_before(
    counts: list[int], seed: int, per_visit: int, visits: int, data: st.DataObject
) -> None:
    n = sum(counts)
    order = PatchOrder(ranges(counts), seed, per_visit, visits)
    other = PatchOrder(ranges(counts), seed, per_visit, visits)
    for position in data.draw(st.lists(st.integers(0, 6 * n), max_size=12)):
        window = other.window(position)
        assert window.first <= position < window.first + len(window.indices)
        assert window.of_pass == position // n
    positions = range(2 * n, 3 * n)
    assert indices(order, positions) == indices(other, positions)


@given(COUNTS, st.integers(1, 9), st.integers(1, 5))
def test_patches_of_a_visit_are_of_one_part(counts: list[int], per_visit: int, visits: int) -> None:
    order = PatchOrder(ranges(counts), 0, per_visit, visits)
    position = 0
    while position < sum(counts):
        window = order.window(position)
        together = np.concatenate(window.visits)
        assert sorted(together.tolist()) == list(range(len(window.indices)))
        assert len(window.visits) <= visits
        for visit in window.visits:
            assert 0 < len(visit) <= per_visit
            part = np.searchsorted(np.cumsum(counts), window.indices[visit], side="right")
            assert len(set(part.tolist())) == 1
        position += len(window.indices)
    assert position == sum(counts)


def test_passes_and_seeds_differ_and_patches_are_mixed() -> None:
    order, other = (PatchOrder(ranges([400] * 8), seed, 32, 4) for seed in (0, 1))
    first = indices(order, range(3200))
    assert first != indices(order, range(3200, 6400))
    assert first != indices(other, range(3200))
    parts = np.array(first[:128]) // 400
    assert len(set(parts[:16].tolist())) > 1, "a batch has patches of several visits"
