"""Photon noise becomes noise of one strength, and means come back from it."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.quality_parts.anscombe import algebraic, stabilized, unbiased
from benchmarks.quality_parts.noise import Noise
from hypothesis import given
from hypothesis import strategies as st

GAINS = st.floats(0.1, 50)
READ_OUTS = st.floats(0, 3)
OFFSETS = st.floats(0, 40)


def shots(photons: float, noise: Noise, count: int = 400_000) -> np.ndarray:
    clean = np.full(count, noise.gain * photons + noise.offset)
    return noise.added_to(clean, seed=1)


@pytest.mark.parametrize("photons", [0.0, 0.3, 1, 3, 10, 100])
@pytest.mark.parametrize("read_out", [0, 0.5, 2])
def test_the_mean_of_transformed_shots_comes_back_as_the_light(
    photons: float, read_out: float
) -> None:
    noise = Noise(4.0, 4 * read_out, offset=10)
    mean = stabilized(shots(photons, noise), noise).mean()
    # the closed form is an approximation: some hundredths of a photon
    assert unbiased(mean, noise) == pytest.approx(10 + 4 * photons, abs=4 * 0.06)


def test_the_algebraic_inverse_is_too_dark_where_photons_are_few() -> None:
    noise = Noise(1.0, 0.0)
    mean = stabilized(shots(2, noise), noise).mean()
    assert algebraic(mean, noise) < 1.85
    assert abs(unbiased(mean, noise) - 2) < 0.02


@pytest.mark.parametrize("photons", [8, 40])
def test_noise_is_of_one_strength_after_the_transform(photons: float) -> None:
    noise = Noise(5.0, 5.0, offset=3)
    assert stabilized(shots(photons, noise), noise).std() == pytest.approx(1, abs=0.02)


@given(GAINS, READ_OUTS, OFFSETS, st.floats(0, 1000))
def test_the_algebraic_inverse_undoes_the_transform(
    gain: float, read_out: float, offset: float, photons: float
) -> None:
    noise = Noise(gain, read_out, offset)
    grey = np.array([gain * photons + offset])
    back = algebraic(stabilized(grey, noise), noise)
    assert back == pytest.approx(grey, rel=1e-6, abs=1e-6 * gain)


@given(GAINS, st.floats(-5, 60))
def test_light_is_never_less_than_none_and_grows_with_the_transform(gain: float, at: float) -> None:
    noise = Noise(gain, 0.0, offset=7)
    low, high = unbiased(np.array([at, at + 0.5]), noise)
    assert 7 <= low <= high
