"""Any axis order to SC(Z)YX and back."""

from __future__ import annotations

import re
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.axes import (
    AxesTransform,
    get_patch_slices,
    reshape_patch,
    restore_array,
    validate_axes,
)

ORDERS = [
    "".join(letters)
    for n in range(2, 7)
    for letters in permutations("STCZYX", n)
    if "Y" in letters and "X" in letters
]


@st.composite
def images(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    axes = draw(st.sampled_from(ORDERS))
    shape = tuple(draw(st.integers(1, 4)) for _ in axes)
    return axes, np.arange(np.prod(shape)).reshape(shape)


def to_scyx(array: np.ndarray, axes: str) -> np.ndarray:
    """The transform written out with numpy alone."""
    full = array
    names = list(axes)
    for letter in "STCZ":
        if letter not in names and letter != "Z":
            full = full[..., None]
            names.append(letter)
    order = [letter for letter in "STCZYX" if letter in names]
    full = full.transpose([names.index(letter) for letter in order])
    return full.reshape(-1, *full.shape[2:])


@given(images())
def test_every_order_goes_there_and_back(image: tuple[str, np.ndarray]) -> None:
    axes, array = image
    expected = to_scyx(array, axes)
    transform = AxesTransform(axes, array.shape)
    assert transform.transformed_shape == expected.shape
    assert transform.transformed_axes == ("SCZYX" if "Z" in axes else "SCYX")
    assert np.array_equal(restore_array(expected, axes, array.shape), array)
    assert transform.c_added_to_original == ("C" not in axes)
    in_order = array.transpose(transform.order_permutation)
    assert np.array_equal(in_order.reshape(expected.shape), expected)


@given(images(), st.data())
def test_patch_slices_cut_what_numpy_cuts(
    image: tuple[str, np.ndarray], data: st.DataObject
) -> None:
    axes, array = image
    whole = to_scyx(array, axes)
    sample = data.draw(st.integers(0, whole.shape[0] - 1))
    start = [data.draw(st.integers(0, s - 1)) for s in whole.shape[2:]]
    size = [data.draw(st.integers(1, s - a)) for a, s in zip(start, whole.shape[2:], strict=True)]
    first = data.draw(st.integers(0, whole.shape[1] - 1))
    channels = data.draw(st.sampled_from([None, [first], list(range(first, whole.shape[1]))]))
    slices = get_patch_slices(axes, array.shape, sample, channels, start, size)
    patch = reshape_patch(array[slices], axes)
    picked = whole[sample] if channels is None else whole[sample][channels]
    expected = picked[(slice(None), *(slice(a, a + n) for a, n in zip(start, size, strict=True)))]
    assert np.array_equal(patch, expected)


@given(images())
def test_samples_are_s_major(image: tuple[str, np.ndarray]) -> None:
    axes, array = image
    transform = AxesTransform(axes, array.shape)
    sizes = transform.original_dim_sizes
    for sample in range(transform.transformed_shape[0]):
        if "S" in axes:
            assert transform.calc_original_S_idx(sample) == sample // sizes.get("T", 1)
        if "T" in axes:
            assert transform.calc_original_T_idx(sample) == sample % sizes["T"]


@pytest.mark.parametrize(
    ("axes", "shape", "channels", "restored"),
    [
        ("YX", (4, 5), 3, (3, 4, 5)),
        ("TZYX", (2, 3, 4, 5), 2, (2, 2, 3, 4, 5)),
        ("YXC", (4, 5, 2), 3, (4, 5, 3)),
        ("CYX", (2, 4, 5), 1, (1, 4, 5)),
        ("YX", (4, 5), 1, (4, 5)),
    ],
)
def test_another_number_of_channels_inserts_or_replaces_c(
    axes: str, shape: tuple[int, ...], channels: int, restored: tuple[int, ...]
) -> None:
    transformed = AxesTransform(axes, shape).transformed_shape
    array = np.zeros((transformed[0], channels, *transformed[2:]))
    assert restore_array(array, axes, shape, channels=channels).shape == restored


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("TYX", (1, 2, 3, 4), "TYX has 3 letters, the image 4 axes 1×2×3×4: add Z, C or S"),
        ("YXQ", None, "axes 'YXQ': 'Q' is not an axis; use letters out of STCZYX"),
        ("zyx", None, "axes 'zyx': 'z' is not an axis; use letters out of STCZYX (upper case)"),
        ("YYX", None, "axes 'YYX': 'Y' stands 2 times; use each letter at most once"),
        ("ZX", None, "axes 'ZX': Y missing; an image has Y and X"),
        ("YX", (0, 4), "axis Y is empty (size 0) in shape 0×4; every axis needs at least 1"),
    ],
)
def test_wrong_axes_are_told_in_one_line(
    axes: str, shape: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        validate_axes(axes, shape)


def test_what_is_outside_the_image_is_refused() -> None:
    with pytest.raises(IndexError, match=r"sample 2 is outside 0…1"):
        get_patch_slices("TYX", (2, 8, 8), 2, None, (0, 0), (4, 4))
    with pytest.raises(IndexError, match=r"channel 3 is outside 0…2"):
        get_patch_slices("CYX", (3, 8, 8), 0, [3], (0, 0), (4, 4))
    with pytest.raises(ValueError, match="one number for each of YX"):
        get_patch_slices("CYX", (3, 8, 8), 0, None, (0, 0, 0), (4, 4, 4))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3.7, 4), "axis Y: size 3.7 is not a whole number; use 1 or more"),
        (("3", 4), "axis Y: size '3' is not a whole number; use 1 or more"),
        ("34", "axis Y: size '3' is not a whole number; use 1 or more"),
        ((4, True), "axis X: size True is not a whole number; use 1 or more"),
        ((4, np.True_), f"axis X: size {np.True_!r} is not a whole number; use 1 or more"),
        ((4, float("nan")), "axis X: size nan is not a whole number; use 1 or more"),
        ((float("inf"), 4), "axis Y: size inf is not a whole number; use 1 or more"),
        ((4, None), "axis X: size None is not a whole number; use 1 or more"),
        (None, "shape None is no sequence; give one size for each of YX"),
        (5, "shape 5 is no sequence; give one size for each of YX"),
        ((4, 0), "axis X is empty (size 0) in shape 4×0; every axis needs at least 1"),
        ((4, 5, 6), "YX has 2 letters, the image 3 axes 4×5×6: add Z, C, T or S"),
        ((4, 5, 6.5), "axis ?: size 6.5 is not a whole number; use 1 or more"),
    ],
)
def test_sizes_that_are_none_are_told_with_their_axis(shape: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        AxesTransform("YX", shape)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        get_patch_slices("YX", shape, 0, None, (0, 0), (1, 1))


def test_sizes_of_numpy_are_taken() -> None:
    for shape in (np.array([3, 4], np.uint8), [np.int64(3), 4], (np.uint64(3), np.int8(4))):
        transform = AxesTransform("YX", shape)  # type: ignore[arg-type]
        assert transform.original_data_shape == (3, 4)
        assert {type(size) for size in transform.original_data_shape} == {int}


@pytest.mark.parametrize("sample", [1.5, 1.0, True, "1", None, np.float64(1)])
def test_samples_are_whole_numbers(sample: Any) -> None:
    transform = AxesTransform("STYX", (2, 3, 4, 5))
    for ask in (transform.calc_original_S_idx, transform.calc_original_T_idx):
        with pytest.raises(TypeError, match=r"^sample .* is not a whole number$"):
            ask(sample)
    with pytest.raises(TypeError, match=r"^sample .* is not a whole number$"):
        get_patch_slices("STYX", (2, 3, 4, 5), sample, None, (0, 0), (1, 1))
    assert transform.calc_original_S_idx(np.int64(4)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channels": [1.5]}, "channel 1.5 is not a whole number"),
        ({"channels": [True]}, "channel True is not a whole number"),
        ({"channels": "0"}, "channel '0' is not a whole number"),
        ({"channels": 1}, "channel 1 is no list of whole numbers"),
        ({"coords": (1.7, 0)}, "coords 1.7 is not a whole number"),
        ({"coords": (0, float("nan"))}, "coords nan is not a whole number"),
        ({"coords": None}, "coords None is no list of whole numbers"),
        ({"patch_size": (2, 2.0)}, "patch size 2.0 is not a whole number"),
    ],
)
def test_patches_lie_at_whole_numbers(changed: Any, message: str) -> None:
    patch: Any = {"channels": None, "coords": (0, 0), "patch_size": (2, 2), **changed}
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        get_patch_slices("CYX", (3, 8, 8), 0, **patch)


def test_channels_may_come_from_an_iterator() -> None:
    for channels in (iter([0, 2]), (c for c in (0, 2)), np.array([0, 2]), range(0, 3, 2)):
        index = get_patch_slices("CYX", (3, 8, 8), 0, channels, (0, 0), (2, 2))  # type: ignore[arg-type]
        assert index == (slice(0, 3, 2), slice(0, 2), slice(0, 2))
    with pytest.raises(IndexError, match="channel 3 is outside 0…2"):
        get_patch_slices("CYX", (3, 8, 8), 0, iter([3]), (0, 0), (2, 2))  # type: ignore[arg-type]


def test_the_channel_of_an_image_without_c_comes_once() -> None:
    index = get_patch_slices("YX", (4, 5), 0, [0, 0], (1, 1), (2, 3))
    assert reshape_patch(np.zeros((4, 5))[index], "YX").shape == (1, 2, 3)
