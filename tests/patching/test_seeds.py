"""Seeds of every kind that NumPy knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_tessera.patching.seeds import random_generator


@pytest.mark.parametrize(
    "make",
    [
        lambda: 42,
        lambda: np.int64(42),
        lambda: 2**200,
        lambda: [1, 2, 3],
        lambda: np.array([1, 2, 3]),
        lambda: np.random.SeedSequence(42),
        lambda: np.random.Philox(42),
        lambda: np.random.Generator(np.random.SFC64(42)),
    ],
)
def test_the_same_seed_gives_the_same_numbers(make: Any) -> None:
    first, second = (random_generator(make()).integers(0, 2**60, 20) for _ in range(2))
    assert (first == second).all()
    assert (first == np.random.default_rng(make()).integers(0, 2**60, 20)).all()


def test_no_seed_gives_other_numbers_each_time() -> None:
    first, second = (random_generator(None).integers(0, 2**60, 20) for _ in range(2))
    assert (first != second).any()


def test_a_generator_is_used_as_it_is() -> None:
    generator = np.random.default_rng(1)
    assert random_generator(generator) is generator
    bits = np.random.PCG64(1)
    assert random_generator(bits).bit_generator is bits


@pytest.mark.parametrize("seed", [-1, 1.5, "seed", [1, -1], [0.5], object()])
def test_what_seeds_nothing_is_told(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"^seed .* seeds no random generator: give None, a whole"):
        random_generator(seed)
