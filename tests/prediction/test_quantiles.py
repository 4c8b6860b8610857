"""Quantiles from a stream: exact ones against NumPy, drawn ones against their bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_tessera.prediction.quantiles import (
    Drawn,
    Held,
    Histogram,
    error_bound,
    quantiles_of,
)

FRACTIONS = (0.0, 0.01, 0.25, 0.5, 0.998, 1.0)


def in_parts(collector: Any, pixels: np.ndarray, step: int) -> None:
    for start in range(0, pixels.shape[1], step):
        collector.add(pixels[:, start : start + step])


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int8, np.uint16, np.int16]),
        st.tuples(st.integers(1, 3), st.integers(1, 60)),
    ),
    st.integers(1, 20),
    st.sampled_from(FRACTIONS),
)
def test_counts_give_what_numpy_gives(pixels: np.ndarray, step: int, fraction: float) -> None:
    counts = Histogram(pixels.shape[0], pixels.dtype)
    in_parts(counts, pixels, step)
    wide = pixels.astype(np.float64)
    assert np.allclose(counts.at(fraction, False), np.quantile(wide, fraction, axis=1), atol=1e-9)
    assert np.allclose(counts.at(fraction, True), np.quantile(wide, fraction), atol=1e-9)
    assert np.allclose(counts.moments.mean, wide.mean(axis=1), rtol=1e-14, atol=1e-12)
    assert np.allclose(counts.moments.std, wide.std(axis=1), rtol=1e-13, atol=1e-9)


def test_moments_of_counts_are_those_of_whole_numbers() -> None:
    # the full range, unevenly: float64 sums of squares would round
    values = np.repeat(np.arange(65536), np.arange(65536) % 7).astype(np.uint16)
    counts = Histogram(1, values.dtype)
    counts.add(values[None])
    whole = values.astype(object)
    n, total = len(whole), sum(whole)
    variance = (n * sum(whole**2) - total**2) / n**2
    assert counts.moments.mean[0] == total / n
    assert counts.moments.std[0] == pytest.approx(variance**0.5, rel=1e-15)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 60)),
        elements=st.floats(-(2.0**90), 2.0**90, width=32)
        | st.sampled_from([np.nan, np.inf, -np.inf]),
    ),
    st.integers(1, 20),
    st.sampled_from(FRACTIONS),
)
def test_held_values_give_what_numpy_gives(pixels: np.ndarray, step: int, fraction: float) -> None:
    held = Held(*pixels.shape, pixels.dtype)
    in_parts(held, pixels, step)
    finite = [channel[np.isfinite(channel)] for channel in pixels]
    expected = [np.quantile(c, fraction) if c.size else 0.0 for c in finite]
    assert np.allclose(held.at(fraction, False), expected, rtol=1e-6)
    everything = np.concatenate(finite)
    pooled = np.quantile(everything, fraction) if everything.size else 0.0
    assert np.allclose(held.at(fraction, True), pooled, rtol=1e-6)
    assert held.error == 0


@pytest.mark.parametrize(
    "values",
    [
        np.array([-3e38, 3e38], np.float32),
        np.array([-60000, 60000], np.float16),
        np.array([-(2**31), 2**31 - 1], np.int32),
        np.array([0, 2**63], np.uint64),
    ],
)
def test_neighbours_may_lie_farther_apart_than_their_type_can_say(values: np.ndarray) -> None:
    ends = values.astype(np.float64)
    assert quantiles_of([values], 0.25)[0] == pytest.approx(ends[0] + (ends[1] - ends[0]) / 4)


@pytest.mark.parametrize("kind", ["sorted", "lognormal", "few values", "one outlier"])
def test_drawn_values_keep_their_bound(kind: str) -> None:
    rng = np.random.default_rng(3)
    pixels = {
        "sorted": np.sort(rng.normal(size=300_000)),
        "lognormal": rng.lognormal(sigma=3, size=300_000),
        "few values": rng.integers(0, 4, 300_000).astype(np.float64),
        "one outlier": np.concatenate([[1e30], rng.normal(size=299_999)]),
    }[kind][None]
    drawn = Drawn(*pixels.shape, pixels.dtype, 20_000)
    in_parts(drawn, pixels, 7777)
    assert drawn.error == error_bound(20_000) < 0.02
    for fraction in FRACTIONS[1:-1]:
        (found,) = drawn.at(fraction, False)
        below, up_to = (pixels < found).mean(), (pixels <= found).mean()
        assert below - drawn.error <= fraction <= up_to + drawn.error


def test_what_is_drawn_is_the_same_each_time_and_evenly_spread() -> None:
    pixels = np.arange(200_000.0)[None]
    found = []
    for _ in range(2):
        drawn = Drawn(*pixels.shape, pixels.dtype, 5000)
        in_parts(drawn, pixels, 999)
        found.append([float(drawn.at(f, False)[0]) for f in FRACTIONS])
    assert found[0] == found[1]
    assert np.allclose(np.array(found[0]) / 200_000, FRACTIONS, atol=0.02)


def test_pixels_that_are_not_finite_widen_the_bound() -> None:
    pixels = np.random.default_rng(0).normal(size=(1, 100_000))
    pixels[0, ::2] = np.nan
    drawn = Drawn(*pixels.shape, pixels.dtype, 10_000)
    drawn.add(pixels)
    assert error_bound(5500) < drawn.error < error_bound(4500)
    assert abs(drawn.at(0.5, False)[0]) < 0.1


def test_bounds() -> None:
    # sqrt(ln(2·10⁶)/(2·10⁶)) + 10⁻⁶
    assert error_bound(10**6) == pytest.approx(0.0026944, rel=1e-3)
    assert error_bound(0) == error_bound(1) == 1
