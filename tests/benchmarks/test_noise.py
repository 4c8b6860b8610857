"""Noise is added by its own law, and read off a pair."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.quality_parts.noise import Noise, fitted, gaussian, poisson

CLEAN = np.repeat(np.arange(0, 250, 5.0), 4000).reshape(500, 400)


@pytest.mark.parametrize("noise", [gaussian(25), poisson(30), Noise(3.0, 8.0, offset=0)])
def test_variance_is_the_straight_line_that_it_says(noise: Noise) -> None:
    off = noise.added_to(CLEAN, seed=3) - CLEAN
    assert abs(off.mean()) < 0.1
    for level in (0, 100, 245):
        expected = noise.gain * (level - noise.offset) + noise.read_out**2
        assert off[level == CLEAN].var() == pytest.approx(expected, rel=0.12, abs=1e-9)


def test_a_seed_gives_the_same_noise() -> None:
    first, again, other = (poisson(5).added_to(CLEAN, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_gain_and_read_out_noise_are_read_off_a_pair() -> None:
    found = fitted(Noise(4.0, 6.0).added_to(CLEAN, 0), CLEAN, offset=True)
    assert (found.gain, found.offset) == (pytest.approx(4, rel=0.03), 0)
    assert found.read_out == pytest.approx(6, rel=0.4)


def test_a_black_level_is_read_off_only_where_it_is_asked_for() -> None:
    clean = CLEAN[CLEAN >= 20].reshape(-1, 400)
    noisy = Noise(4.0, 0.0, offset=15).added_to(clean, 0)
    assert fitted(noisy, clean, offset=True).offset == pytest.approx(15, abs=2)
    without = fitted(noisy, clean, offset=False)
    assert (without.offset, without.read_out) == (0, 0)


def test_what_is_no_photon_noise_is_told() -> None:
    falling = CLEAN + np.random.default_rng(0).normal(0, 1, CLEAN.shape) * (300 - CLEAN)
    with pytest.raises(ValueError, match="falls by"):
        fitted(falling, CLEAN, offset=True)
    with pytest.raises(ValueError, match="1 clean grey levels"):
        fitted(CLEAN, np.zeros_like(CLEAN), offset=True)
