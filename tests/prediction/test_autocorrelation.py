from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.prediction.autocorrelation import autocorrelation


def directly(pieces: list[NDArray[Any]], farthest: int) -> NDArray[np.float64]:
    """The same by going through all shifts and pairs."""
    size = 2 * farthest + 1
    found = np.full((size, size), np.nan)
    for dy in range(-farthest, farthest + 1):
        for dx in range(-farthest, farthest + 1):
            products = []
            for piece in pieces:
                height, width = piece.shape
                products += [
                    piece[y, x] * piece[y + dy, x + dx]
                    for y in range(max(0, -dy), min(height, height - dy))
                    for x in range(max(0, -dx), min(width, width - dx))
                ]
            known = [product for product in products if np.isfinite(product)]
            if known:
                found[dy + farthest, dx + farthest] = np.mean(known)
    middle = found[farthest, farthest]
    return found / middle if middle > 0 else np.where(np.isnan(found), np.nan, 0)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.5),
)
def test_it_is_what_going_through_all_pairs_gives(
    shapes: list[tuple[int, int]], farthest: int, seed: int, holes: float
) -> None:
    rng = np.random.default_rng(seed)
    pieces = [rng.normal(0, 1, shape) for shape in shapes]
    for piece in pieces:
        piece[rng.random(piece.shape) < holes] = np.nan
    found, expected = autocorrelation(pieces, farthest), directly(pieces, farthest)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    assert np.allclose(found, expected, equal_nan=True, atol=1e-6)


def test_noise_in_rows_shows_along_x_and_turned_round_it_is_the_same() -> None:
    white = np.random.default_rng(0).normal(0, 1, (128, 128))
    rows = (white + np.roll(white, 1, axis=1)) / 2**0.5
    found = autocorrelation([rows], 10)
    assert found.shape == (21, 21)
    assert found[10, 10] == 1
    assert found[10, 11] == pytest.approx(0.5, abs=0.05)
    assert abs(found[11, 10]) < 0.05
    assert np.allclose(found, found[::-1, ::-1])
    assert autocorrelation([white], 10)[10, 11] == pytest.approx(0, abs=0.05)


def test_of_nothing_there_is_nothing() -> None:
    assert np.isnan(autocorrelation([], 2)).all()
    assert np.isnan(autocorrelation([np.full((8, 8), np.nan)], 2)).all()
    assert not autocorrelation([np.zeros((8, 8), np.float32)], 2).any()
