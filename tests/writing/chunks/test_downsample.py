from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_tessera.writing.chunks.downsample import downsample

DTYPES = ["uint8", "int8", "uint16", "int32", "float16", "float32", "float64"]


def cells(shape: Sequence[int], factors: Sequence[int]) -> list[tuple[tuple[int, ...], Any]]:
    """Each result's index, and the slices of the pixels that it is made of."""
    small = [range(-(-n // f)) for n, f in zip(shape, factors, strict=True)]
    return [
        (at, tuple(slice(i * f, (i + 1) * f) for i, f in zip(at, factors, strict=True)))
        for at in product(*small)
    ]


@st.composite
def images(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...]]:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    elements = (
        hnp.from_dtype(dtype)
        if dtype.kind in "iu"
        else st.integers(-1000, 1000).map(float) | st.just(float("nan"))
    )
    factors = tuple(draw(st.sampled_from([1, 2, 2, 3])) for _ in shape)
    return draw(hnp.arrays(dtype, shape, elements=elements)), factors


@given(case=images())
def test_each_pixel_is_the_mean_of_those_that_have_a_value(
    case: tuple[np.ndarray, tuple[int, ...]],
) -> None:
    pixels, factors = case
    small = downsample(pixels, factors)
    assert small.dtype == pixels.dtype
    assert small.shape == tuple(-(-n // f) for n, f in zip(pixels.shape, factors, strict=True))
    for at, part in cells(pixels.shape, factors):
        values = [Fraction(v.item()) for v in pixels[part].ravel() if v == v]
        if not values:
            assert np.isnan(small[at])
        elif pixels.dtype.kind in "iu":
            assert small[at] == round(sum(values) / len(values))  # halves to even, too
        else:
            assert small[at] == pixels.dtype.type(float(sum(values) / len(values)))


@given(case=images(), data=st.data())
def test_blocks_give_the_very_bytes_of_the_whole(
    case: tuple[np.ndarray, tuple[int, ...]], data: st.DataObject
) -> None:
    pixels, factors = case
    whole = downsample(pixels, factors)
    at = tuple(slice(data.draw(st.integers(0, n - 1)), None) for n in whole.shape)
    block = tuple(slice(s.start * f, None) for s, f in zip(at, factors, strict=True))
    assert downsample(pixels[block], factors).tobytes() == whole[at].tobytes()


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_the_largest_integers_stay_in_their_type(dtype: str) -> None:
    info = np.iinfo(dtype)
    pixels = np.full((2, 4), info.max, dtype)
    pixels[:, 2:] = info.min
    assert downsample(pixels, (2, 2)).tolist() == [[info.max, info.min]]


def test_infinities_are_values_and_their_difference_is_none() -> None:
    inf, nan = np.inf, np.nan
    pixels = np.array([[inf, 1, inf, -inf, nan, inf, nan, 3]], np.float32)
    small = downsample(pixels, (1, 2))
    assert small.tolist()[0][0] == inf
    assert np.isnan(small[0, 1])
    assert small.tolist()[0][2:] == [inf, 3.0]


def test_the_image_is_neither_changed_nor_handed_on() -> None:
    pixels = np.array([[1, np.nan], [3, 4]], np.float32)
    pixels.flags.writeable = False
    assert downsample(pixels, (2, 2)).tolist() == [[pytest.approx(8 / 3)]]
    same = downsample(pixels, (1, 1))
    assert not np.shares_memory(same, pixels)
    assert same.tobytes() == pixels.tobytes()


def test_large_values_do_not_overflow_their_type() -> None:
    assert downsample(np.full((2, 2), 255, np.uint8), (2, 2)).tolist() == [[255]]
    largest = float(np.finfo(np.float16).max)
    assert downsample(np.full((2, 2), largest, np.float16), (2, 2)).tolist() == [[largest]]
