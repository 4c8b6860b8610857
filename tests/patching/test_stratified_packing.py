"""Shares of regions laid on indices."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching.stratified.packing import Packing, pack


def n_of(packing: Packing) -> int:
    return len(packing.own) + len(packing.bounds) - 1


def totals(packing: Packing) -> dict[int, float]:
    sums: dict[int, float] = {}
    for index in range(n_of(packing)):
        regions, shares = packing.entries(index)
        for region, share in zip(regions.tolist(), shares.tolist(), strict=True):
            sums[region] = sums.get(region, 0.0) + share
    return sums


shares_of = st.lists(
    st.one_of(st.floats(1e-3, 3), st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.6, 1.0, 1.3, 2.0])),
    min_size=1,
    max_size=40,
)


@given(shares_of, st.integers(0, 2))
def test_every_share_is_laid_out_and_no_index_holds_more_than_one(
    shares: list[float], more: int
) -> None:
    n = ceil(sum(shares) - 1e-9) + more
    regions = np.arange(len(shares)) + 7
    packing = pack(regions, np.array(shares), n)
    assert n_of(packing) == n
    assert totals(packing) == pytest.approx(
        dict(zip(regions.tolist(), shares, strict=True)), abs=1e-7
    )
    for index in range(n):
        in_index, of_index = packing.entries(index)
        assert (of_index > 0).all()
        assert of_index.sum() <= 1 + 1e-7
        assert len(set(in_index.tolist())) == len(in_index)
    # A piece ends where a share or an index does.
    assert len(packing.shares) <= len(shares) + n


@given(shares_of)
def test_whole_parts_have_indices_of_their_own(shares: list[float]) -> None:
    packing = pack(np.arange(len(shares)), np.array(shares), ceil(sum(shares) - 1e-9))
    own = np.bincount(packing.own, minlength=len(shares))
    assert own.tolist() == [int(share + 1e-9) for share in shares]


@pytest.mark.parametrize(
    ("shares", "n"),
    [
        ([0.5] * 8, 4),
        ([1 / 3] * 9, 3),
        ([0.1] * 20, 2),
        ([0.75, 0.25, 0.6, 0.4, 0.5, 0.5], 3),
        ([0.7, 0.6, 0.4, 0.3], 2),
        ([1.25, 2.75], 4),
    ],
)
def test_what_fits_is_not_cut(shares: list[float], n: int) -> None:
    packing = pack(np.arange(len(shares)), np.array(shares), n)
    assert len(packing.shares) == sum(share % 1 > 0 for share in shares)


def test_what_fits_nowhere_is_cut_over_the_space_left() -> None:
    packing = pack(np.arange(5), np.full(5, 0.6), 3)
    assert totals(packing) == pytest.approx(dict.fromkeys(range(5), 0.6))
    assert [packing.entries(i)[1].sum() for i in range(3)] == pytest.approx([1, 1, 1])


def test_rounding_costs_no_index() -> None:
    packing = pack(np.arange(3), np.array([0.1 + 0.2 + 0.7, 1 - 1e-13, 1 + 1e-13]), 3)
    assert packing.own.tolist() == [0, 1, 2]
    assert n_of(packing) == 3


def test_nothing_to_pack() -> None:
    packing = pack(np.zeros(0, dtype=np.int64), np.zeros(0), 1)
    assert n_of(packing) == 1
    assert not len(packing.entries(0)[0])
