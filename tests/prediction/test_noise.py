from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_tessera.prediction.noise import (
    NOISE_GAIN,
    Products,
    known,
    neighbours,
    noise_response,
    stripes,
)

MASK = [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_response_is_that_of_immerkaers_mask(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).normal(0, 1, (height, width))
    found = noise_response(image)
    if min(height, width) < 3:
        assert found.size == 0
    else:
        assert np.allclose(found, ndimage.correlate(image, MASK)[1:-1, 1:-1])


@pytest.mark.parametrize("noise", ["gauss", "photons", "few photons"])
def test_its_mean_square_is_the_mean_variance_of_any_white_noise(noise: str) -> None:
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(512), 2.0 * np.arange(512))
    if noise == "gauss":
        image, variance = ramp + rng.normal(0, 7, ramp.shape), 49.0
    else:
        ramp = ramp if noise == "photons" else ramp / 5000
        image, variance = rng.poisson(ramp).astype(np.float64), float(ramp.mean())
    assert (noise_response(image) ** 2).mean() / NOISE_GAIN == pytest.approx(variance, rel=0.02)


def test_neighbours_leave_out_pairs_with_a_hole() -> None:
    row = np.array([[1.0, 2.0, np.nan, 4.0, 5.0]])
    assert neighbours(row, -1) == Products(1 * 2 + 4 * 5, (1 + 16 + 4 + 25) / 2)
    assert neighbours(row, -2) == Products()
    assert Products().correlation == 0
    assert (Products(1, 2) + Products(1, 2)).correlation == 0.5


def test_stripes_along_x_are_those_along_y_of_the_image_turned() -> None:
    white = np.random.default_rng(0).normal(0, 1, (2, 128, 128))
    rows = white + np.roll(white, 1, axis=-1)
    along_rows, along_columns = stripes(rows)
    assert along_rows.correlation == pytest.approx(0.5, abs=0.03)
    assert abs(along_columns.correlation) < 0.03
    assert stripes(rows.swapaxes(-1, -2)) == (along_columns, along_rows)
    assert stripes(white[..., :3]) == (Products(), Products())


def test_what_float32_does_not_hold_is_not_known() -> None:
    values = known(np.array([1.0, np.inf, -np.inf, np.nan, 1e300]))
    assert values[0] == 1
    assert np.isnan(values[1:]).all()
    assert known(np.array([2**63], np.uint64))[0] == 2**63
