"""A checkerboard is seen, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.quality_parts.spectrum import nyquist_energy, nyquist_peak
from scipy.ndimage import gaussian_filter

SHAPE = (200, 160)
NOISE = np.random.default_rng(2).normal(0, 6, SHAPE)
SMOOTH = gaussian_filter(np.random.default_rng(3).normal(0, 900, SHAPE), 3)
Y, X = np.indices(SHAPE)


def test_white_noise_has_its_variance_there() -> None:
    assert nyquist_energy(NOISE) == pytest.approx(36, rel=0.1)
    # few frequencies lie at a corner, so that their mean scatters
    assert 0.5 < nyquist_peak(NOISE) < 3


def test_a_smooth_image_has_nothing_there_although_its_edges_do_not_meet() -> None:
    ramp = 200.0 * Y / SHAPE[0] + 3.0 * X
    assert nyquist_energy(SMOOTH + ramp) < 1e-3


@pytest.mark.parametrize("pattern", [Y % 2, X % 2, (Y + X) % 2], ids=["rows", "columns", "board"])
def test_each_pattern_that_alternates_is_seen(pattern: np.ndarray) -> None:
    with_it = SMOOTH + NOISE + 4.0 * pattern
    assert nyquist_energy(with_it) > 3 * nyquist_energy(SMOOTH + NOISE)
    assert nyquist_peak(with_it) > 20


def test_stripes_two_pixels_wide_are_none() -> None:
    stripes = 40.0 * (X // 2 % 2)
    assert nyquist_energy(SMOOTH + NOISE + stripes) == pytest.approx(nyquist_energy(NOISE), rel=0.1)
