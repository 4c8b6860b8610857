"""Patches at random places."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import ceil, prod, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching import FixedRandomPatching, RandomPatching
from napari_tessera.patching.random import uniform

from .shapes import STACKS_2D, assert_plain_and_inside, specs_of, stacks_and_patch

Strategy = type[RandomPatching] | type[FixedRandomPatching]
both = pytest.mark.parametrize("strategy", [RandomPatching, FixedRandomPatching])


@both
@given(case=stacks_and_patch(), seed=st.integers(0, 2**70))
def test_the_index_fixes_stack_and_sample_and_every_patch_lies_inside(
    strategy: Strategy, case: tuple[list[tuple[int, ...]], tuple[int, ...]], seed: int
) -> None:
    stacks, patch = case
    patching = strategy(stacks, patch, seed)
    expected = [
        (data_idx, sample)
        for data_idx, shape in enumerate(stacks)
        for sample in range(shape[0])
        for _ in range(prod(ceil(s / p) for s, p in zip(shape[2:], patch, strict=True)))
    ]
    specs = specs_of(patching)
    assert [(spec["data_idx"], spec["sample_idx"]) for spec in specs] == expected
    for spec in specs:
        assert_plain_and_inside(spec, stacks)
        assert spec["patch_size"] == patch


@both
def test_coordinates_are_uniform_on_both_ends_included(strategy: Strategy) -> None:
    # 24 000 draws over 5 × 8 places: each count within 5 standard errors, as 40 are looked at,
    # the mean of each axis within 3.
    n, shape, patch = 24_000, (1, 1, 12, 10), (8, 3)
    patching = strategy([(n, *shape[1:])], patch, seed=20)
    per_sample = prod(ceil(s / p) for s, p in zip(shape[2:], patch, strict=True))
    drawn = [patching.get_patch_spec(per_sample * i)["coords"] for i in range(n)]
    places = Counter(drawn)
    assert set(places) == {(y, x) for y in range(5) for x in range(8)}
    expected = n / 40
    for count in places.values():
        assert abs(count - expected) < 5 * sqrt(expected * (1 - 1 / 40))
    for axis, choices in enumerate((5, 8)):
        mean = np.mean([at[axis] for at in drawn])
        error = sqrt((choices**2 - 1) / 12 / n)
        assert abs(mean - (choices - 1) / 2) < 3 * error
    # Neither do the axes depend on each other, nor a draw on the one before.
    along = np.array(drawn, float).T
    assert abs(np.corrcoef(along)[0, 1]) < 3 / sqrt(n)
    for axis in along:
        assert abs(np.corrcoef(axis[1:], axis[:-1])[0, 1]) < 3 / sqrt(n)


@both
def test_an_image_as_large_as_the_patch_has_one_place(strategy: Strategy) -> None:
    patching = strategy([(3, 1, 8, 8, 8)], (8, 8, 8))
    assert [spec["coords"] for spec in specs_of(patching)] == [(0, 0, 0)] * 3


@both
def test_a_patch_larger_than_the_image_is_refused(strategy: Strategy) -> None:
    with pytest.raises(ValueError, match=r"^patch size Y: 15 is larger than the image's 14 \(im"):
        strategy(STACKS_2D, (15, 8))


@both
def test_the_seed_is_checked(strategy: Strategy) -> None:
    with pytest.raises(ValueError, match=r"^seed -1 seeds no random generator"):
        strategy(STACKS_2D, (8, 8), seed=-1)


SEEDS = [
    lambda: 7,
    lambda: np.uint8(7),
    lambda: 2**150,
    lambda: (7, 8),
    lambda: np.array([7, 8]),
    lambda: np.random.SeedSequence(7),
    lambda: np.random.MT19937(7),
    lambda: np.random.default_rng(7),
]


@both
@pytest.mark.parametrize("make_seed", SEEDS)
def test_the_same_seed_gives_the_same_patches(strategy: Strategy, make_seed: Any) -> None:
    first, second = (specs_of(strategy(STACKS_2D, (8, 5), seed=make_seed())) for _ in range(2))
    assert first == second
    assert first != specs_of(strategy(STACKS_2D, (8, 5), seed=8))


@both
def test_a_seed_sequence_is_left_as_it_was(strategy: Strategy) -> None:
    seeds = np.random.SeedSequence(7)
    first = specs_of(strategy(STACKS_2D, (8, 5), seed=seeds))
    assert seeds.n_children_spawned == 0
    assert specs_of(strategy(STACKS_2D, (8, 5), seed=seeds)) == first


@both
def test_a_generator_is_drawn_from(strategy: Strategy) -> None:
    generator = np.random.default_rng(7)
    first, second = (specs_of(strategy(STACKS_2D, (8, 5), seed=generator)) for _ in range(2))
    assert first != second


@both
def test_global_random_state_is_neither_read_nor_moved(strategy: Strategy) -> None:
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    specs_of(strategy(STACKS_2D, (8, 5)))
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert (before["state"]["key"] == after["state"]["key"]).all()
    assert before["state"]["pos"] == after["state"]["pos"]


@both
def test_without_a_seed_every_strategy_has_its_own_patches(strategy: Strategy) -> None:
    first, second = (specs_of(strategy(STACKS_2D, (8, 5))) for _ in range(2))
    assert first != second


def test_random_patches_are_fresh_at_every_call() -> None:
    patching = RandomPatching([(1, 1, 500, 500)], (8, 8), seed=1)
    assert len({patching.get_patch_spec(0)["coords"] for _ in range(50)}) > 45


def test_threads_share_one_stream_and_no_number_of_it_is_given_twice() -> None:
    # Equal limits along both axes: whichever thread draws, the numbers are the stream's.
    stacks, n = [(1, 1, 10**9, 10**9)], 4000
    patching = RandomPatching(stacks, (1, 1), seed=5)
    with ThreadPoolExecutor(8) as threads:
        specs = list(threads.map(patching.get_patch_spec, range(n)))
    alone = RandomPatching(stacks, (1, 1), seed=5)
    expected = [alone.get_patch_spec(index)["coords"] for index in range(n)]
    drawn = Counter(start for spec in specs for start in spec["coords"])
    assert drawn == Counter(start for coords in expected for start in coords)


@given(stacks_and_patch(), st.randoms(use_true_random=False))
def test_fixed_patches_depend_on_the_index_alone(
    case: tuple[list[tuple[int, ...]], tuple[int, ...]], order: Any
) -> None:
    stacks, patch = case
    patching = FixedRandomPatching(stacks, patch)
    specs = specs_of(patching)
    shuffled = list(range(patching.n_patches))
    order.shuffle(shuffled)
    assert [patching.get_patch_spec(index) for index in shuffled] == [specs[i] for i in shuffled]
    assert list(patching.fixed_patch_specs) == specs


def test_fixed_patches_are_these() -> None:
    # Written down, so that the same seed gives the same validation patches in later versions.
    patching = FixedRandomPatching([(1, 1, 1000, 1000)], (10, 10), seed=42)
    assert [patching.get_patch_spec(index)["coords"] for index in (0, 1, 9999)] == [
        (924, 841),
        (332, 962),
        (724, 70),
    ]


@given(st.integers(2**63 - 3, 2**200), st.integers(0, 2**32))
def test_axes_beyond_64_bits_have_their_places_too(largest: int, seed: int) -> None:
    drawn = [uniform(np.random.default_rng(seed + i), largest) for i in range(20)]
    assert all(0 <= number <= largest for number in drawn)
    assert max(drawn) > largest // 10  # missed once in 10²⁰


def test_large_places_are_uniform() -> None:
    rng = np.random.default_rng(3)
    largest, n = 5 * 2**62, 20_000
    fifths = Counter(uniform(rng, largest) // 2**62 for _ in range(n))
    for part in range(5):
        assert abs(fifths[part] - n / 5) < 4 * sqrt(n / 5 * 4 / 5)


@both
def test_there_may_be_more_patches_than_64_bits_count(strategy: Strategy) -> None:
    patching = strategy([(10**20, 1, 10**20, 10**20)], (10, 10), seed=1)
    assert patching.n_patches == 10**58
    spec = patching.get_patch_spec(10**58 - 1)
    assert spec["sample_idx"] == 10**20 - 1
    assert_plain_and_inside(spec, [(10**20, 1, 10**20, 10**20)])
