from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_tessera.writing import fill_value, resolve_output_dtype, to_dtype

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]


@given(
    pixels=hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        8,
        elements=st.floats(width=32) | st.floats(-70_000, 70_000, width=32),
    ),
    dtype=st.sampled_from(INTEGERS),
)
def test_integers_are_rounded_and_clipped_and_the_clipped_counted(
    pixels: np.ndarray, dtype: str
) -> None:
    info = np.iinfo(dtype)
    converted, n_clipped = to_dtype(pixels, dtype)
    clipped = 0
    for value, got in zip(pixels.tolist(), converted.tolist(), strict=True):
        if np.isnan(value):
            assert got == 0
        elif np.isinf(value):
            assert got == (info.max if value > 0 else info.min)
            clipped += 1
        else:
            exact = round(value)
            assert got == min(max(exact, info.min), info.max)
            clipped += exact != got
    assert converted.dtype == dtype
    assert n_clipped == clipped


@pytest.mark.parametrize("dtype", INTEGERS)
def test_the_bounds_of_a_type_are_not_clipped_and_the_next_value_is(dtype: str) -> None:
    info = np.iinfo(dtype)
    beyond = np.array([float(info.max) * 2, float(info.max) + 1], np.float64)
    converted, n_clipped = to_dtype(beyond, dtype)
    assert (converted == info.max).all()
    assert n_clipped == 2
    assert to_dtype(np.array([float(info.min)]), dtype)[1] == 0


def test_halves_go_to_the_even_neighbour() -> None:
    converted, _ = to_dtype(np.array([0.5, 1.5, 2.5, -0.5], np.float32), "int16")
    assert converted.tolist() == [0, 2, 2, 0]


def test_a_float_type_of_less_range_clips_what_is_finite() -> None:
    converted, n_clipped = to_dtype(np.array([1e6, -1e6, np.inf, np.nan, 1.5], np.float32), "f2")
    np.testing.assert_array_equal(
        converted, np.array([65504, -65504, np.inf, np.nan, 1.5], np.float16)
    )
    assert n_clipped == 2


def test_integers_in_an_integer_type_of_less_range_are_clipped() -> None:
    converted, n_clipped = to_dtype(np.array([-3, 7, 300], np.int32), "uint8")
    assert converted.tolist() == [0, 7, 255]
    assert n_clipped == 2


def test_pixels_of_the_right_type_are_not_copied() -> None:
    pixels = np.ones(3, np.float32)
    assert to_dtype(pixels, "float32")[0] is pixels


@pytest.mark.parametrize(
    ("wanted", "given_dtype", "got"),
    [
        ("float32", "uint8", "float32"),
        ("same", "uint16", "uint16"),
        ("same as input", ">u2", "uint16"),
        ("same", "float16", "float16"),
        (np.uint8, "float32", "uint8"),
    ],
)
def test_output_type(wanted: Any, given_dtype: str, got: str) -> None:
    assert resolve_output_dtype(wanted, given_dtype) == np.dtype(got)


@pytest.mark.parametrize(
    ("wanted", "given_dtype", "said"),
    [
        ("same", "bool", "output type bool, the image's own, cannot hold"),
        ("complex64", "uint8", "output type complex64 cannot hold"),
        ("nonsense", "uint8", "'nonsense' is no data type"),
    ],
)
def test_a_type_that_holds_no_intensities_is_refused(
    wanted: str, given_dtype: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        resolve_output_dtype(wanted, given_dtype)
    assert "use float32" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_predicted_is_nan_or_zero() -> None:
    assert np.isnan(fill_value("float16"))
    assert fill_value("uint8") == 0
