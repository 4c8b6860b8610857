"""Figures are those that they are called."""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.quality_parts.measures import Measures, lag_one, measured, psnr

RNG = np.random.default_rng(5)
CLEAN = RNG.uniform(20, 220, (64, 80))


def test_psnr_is_of_a_range_of_255() -> None:
    assert psnr(CLEAN + 25.5, CLEAN) == pytest.approx(20)
    assert psnr(CLEAN, CLEAN) == float("inf")


def test_what_is_kept_of_the_intensity_and_what_a_factor_would_mend() -> None:
    found = measured(0.8 * CLEAN, CLEAN, CLEAN)
    assert found.sum == pytest.approx(0.8)
    assert found.psnr < 20
    assert found.scaled > 200
    assert found.ssim < 1


def test_a_residual_of_white_noise_has_no_lag_and_of_smooth_structure_one() -> None:
    noise = RNG.normal(0, 5, CLEAN.shape)
    assert max(map(abs, measured(CLEAN, CLEAN + noise, CLEAN).lags)) < 0.06
    ramp = np.linspace(0, 50, CLEAN.shape[1]) + 0 * CLEAN
    along_y, along_x = lag_one(noise + ramp)
    assert min(along_y, along_x) > 0.8
    alternating = np.indices(CLEAN.shape).sum(0) % 2
    assert lag_one(alternating.astype(float)) == pytest.approx((-1, -1))
    assert lag_one(np.full((4, 5, 6), 3.0)) == (0, 0, 0)


def test_one_direction_is_enough_to_be_the_worst() -> None:
    rows = RNG.normal(0, 5, (len(CLEAN), 1)) + 0 * CLEAN
    found = measured(CLEAN, CLEAN + rows, CLEAN)
    assert found.lags[1] > 0.9 > abs(found.lags[0])
    assert found.worst_lag == found.lags[1]


def test_figures_of_volumes() -> None:
    volume = np.stack([CLEAN] * 3)
    found = measured(volume + 1, volume, volume)
    assert len(found.lags) == 3
    assert found.ssim == pytest.approx(measured(CLEAN + 1, CLEAN, CLEAN).ssim)


def test_figures_go_through_a_file() -> None:
    found = measured(0.9 * CLEAN, CLEAN, CLEAN)
    assert Measures.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_results_that_cannot_be_judged_are_told() -> None:
    with pytest.raises(ValueError, match=r"\(63, 80\)"):
        measured(CLEAN[1:], CLEAN, CLEAN)
    broken = CLEAN.copy()
    broken[3, 4:6] = np.nan
    with pytest.raises(ValueError, match="2 pixels of the result are not finite"):
        measured(broken, CLEAN, CLEAN)
