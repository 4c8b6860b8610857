"""What holds of every patching strategy."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest

from napari_tessera.patching import (
    FixedPatching,
    FixedRandomPatching,
    Patching,
    RandomPatching,
    SequentialPatching,
    StratifiedPatching,
    TiledPatching,
    WholeSamplePatching,
)

from .shapes import COMMON, STACKS_2D, assert_plain_and_inside, place, specs_of

Make = Callable[[Sequence[Sequence[int]], Sequence[int]], Patching]


def random(stacks: Sequence[Sequence[int]], patch: Sequence[int]) -> Patching:
    return RandomPatching(data_shapes=stacks, patch_size=patch, seed=42)


def fixed_random(stacks: Sequence[Sequence[int]], patch: Sequence[int]) -> Patching:
    return FixedRandomPatching(data_shapes=stacks, patch_size=patch, seed=42)


def stratified(stacks: Sequence[Sequence[int]], patch: Sequence[int]) -> Patching:
    return StratifiedPatching(data_shapes=stacks, patch_size=patch, seed=42)


def sequential(stacks: Sequence[Sequence[int]], patch: Sequence[int]) -> Patching:
    return SequentialPatching(data_shapes=stacks, patch_size=patch, overlaps=(2,) * len(patch))


def tiled(stacks: Sequence[Sequence[int]], patch: Sequence[int]) -> Patching:
    return TiledPatching(data_shapes=stacks, patch_size=patch, overlaps=(2,) * len(patch))


def whole(stacks: Sequence[Sequence[int]], patch: Sequence[int]) -> Patching:
    return WholeSamplePatching(data_shapes=stacks)


def fixed(stacks: Sequence[Sequence[int]], patch: Sequence[int]) -> Patching:
    return FixedPatching(specs_of(sequential(stacks, patch)))


ON_DEMAND = [random, fixed_random, stratified, sequential, tiled, whole]
EVERY = [*ON_DEMAND, fixed]
every = pytest.mark.parametrize("make", EVERY)
on_demand = pytest.mark.parametrize("make", ON_DEMAND)


@every
@pytest.mark.parametrize(("stacks", "patch"), COMMON)
def test_patches_lie_inside_and_cover_most_of_every_image(
    make: Make, stacks: Sequence[Sequence[int]], patch: Sequence[int]
) -> None:
    patching = make(stacks, patch)
    assert isinstance(patching, Patching)
    covered = [np.zeros((shape[0], *shape[2:]), bool) for shape in stacks]
    for spec in specs_of(patching):
        assert_plain_and_inside(spec, stacks)
        covered[spec["data_idx"]][place(spec)] = True
    assert sum(part.sum() for part in covered) > 0.5 * sum(part.size for part in covered)


@every
@pytest.mark.parametrize(("stacks", "patch"), COMMON)
def test_the_numbers_of_a_stack_are_those_whose_patch_lies_in_it(
    make: Make, stacks: Sequence[Sequence[int]], patch: Sequence[int]
) -> None:
    patching = make(stacks, patch)
    specs = specs_of(patching)
    for data_idx in range(len(stacks)):
        own = [index for index, spec in enumerate(specs) if spec["data_idx"] == data_idx]
        assert list(patching.get_patch_indices(data_idx)) == own
        assert list(patching.get_patch_indices(np.int64(data_idx))) == own  # type: ignore[arg-type]


@every
def test_outside_is_an_index_error_at_both_ends(make: Make) -> None:
    patching = make(STACKS_2D, (8, 8))
    n = patching.n_patches
    for index in (-1, -n, n, n + 1, 10**30, np.int64(-1), np.uint64(2**64 - 1)):
        with pytest.raises(IndexError, match=f"^patch {int(index)} is outside 0…{n - 1}$"):
            patching.get_patch_spec(index)
    with pytest.raises(IndexError, match=r"^image stack -1 is outside 0…"):
        patching.get_patch_indices(-1)


@on_demand
def test_there_are_only_the_stacks_that_were_given(make: Make) -> None:
    patching = make(STACKS_2D, (8, 8))
    with pytest.raises(IndexError, match=r"^image stack 3 is outside 0…2$"):
        patching.get_patch_indices(3)
    assert all(isinstance(patching.get_patch_indices(i), range) for i in range(3))


@every
@pytest.mark.parametrize("index", [0.0, np.float64(1), "0", None, (0,), True, np.True_])
def test_what_is_no_number_is_a_type_error(make: Make, index: Any) -> None:
    patching = make(STACKS_2D, (8, 8))
    with pytest.raises(TypeError, match=r"^patch .* is not a whole number$"):
        patching.get_patch_spec(index)
    with pytest.raises(TypeError, match=r"^image stack .* is not a whole number$"):
        patching.get_patch_indices(index)


@every
def test_a_copy_through_pickle_gives_the_same_patches(make: Make) -> None:
    patching = make(STACKS_2D, (8, 5))
    patching.get_patch_spec(0)
    copy = pickle.loads(pickle.dumps(patching))
    assert specs_of(copy) == specs_of(patching)


@every
def test_a_changed_specification_changes_no_other(make: Make) -> None:
    patching, other = make(STACKS_2D, (8, 8)), make(STACKS_2D, (8, 8))
    patching.get_patch_spec(0).clear()  # type: ignore[attr-defined]
    other.get_patch_spec(0)
    assert specs_of(patching) == specs_of(other)


@pytest.mark.parametrize("make", [make for make in EVERY if make not in (random, stratified)])
def test_threads_get_what_one_alone_gets(make: Make) -> None:
    patching = make(STACKS_2D, (4, 4))
    numbers = list(range(patching.n_patches)) * 8
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(patching.get_patch_spec, numbers))
    assert found == specs_of(patching) * 8


@on_demand
def test_shapes_and_sizes_come_as_arrays_too(make: Make) -> None:
    stacks, patch = np.array([(2, 1, 20, 30), (1, 2, 25, 9)], np.uint16), np.array([8, 9])
    patching = make(stacks, patch)
    assert specs_of(patching) == specs_of(make(stacks.tolist(), patch.tolist()))
    assert patching.data_shapes == ((2, 1, 20, 30), (1, 2, 25, 9))  # type: ignore[attr-defined]
    if make is not whole:
        assert patching.patch_size == (8, 9)  # type: ignore[attr-defined]
    for spec in specs_of(patching):
        assert_plain_and_inside(spec, stacks.tolist())


# 10⁸ patches and more in two image stacks; as many samples for the strategy that has no patches.
LARGE = [(10**6, 1, 100_000, 100_000), (10**8, 1, 8, 8)]


@on_demand
def test_a_hundred_million_patches_take_no_memory(make: Make) -> None:
    tracemalloc.start()
    try:
        patching = make(LARGE, (8, 8))
        for index in (0, patching.n_patches // 2, patching.n_patches - 1):
            assert_plain_and_inside(patching.get_patch_spec(index), LARGE)
        assert patching.get_patch_indices(1)[-1] == patching.n_patches - 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert patching.n_patches > 10**8
    assert peak < 100_000


def calls_made(function: Callable[[], object]) -> int:
    """Number of functions called, those of Python and those of C."""
    n = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal n
        n += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
    return n


@on_demand
def test_a_patch_of_many_costs_no_more_calls_than_one_of_few(make: Make) -> None:
    few = make([(2, 1, 24, 24), (1, 1, 8, 8)], (8, 8))
    many = make(LARGE, (8, 8))
    for patching in (few, many):  # whatever is made once is made now
        patching.get_patch_spec(0)
    for part in (0.0, 0.5, 1.0):
        of_few, of_many = (
            calls_made(partial(patching.get_patch_spec, int(part * (patching.n_patches - 1))))
            for patching in (few, many)
        )
        assert of_many <= of_few + 5
