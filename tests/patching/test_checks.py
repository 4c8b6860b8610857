"""Arguments that are refused, in one line that names axis and value."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from napari_tessera.patching.checks import (
    check_data_shapes,
    check_number,
    check_overlaps,
    check_patch_fits,
    check_patch_size,
    check_sizes,
    shown,
)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "no image stack given; at least one data shape is needed"),
        (np.zeros((0, 4), int), "no image stack given; at least one data shape is needed"),
        (7, "data shapes 7 is no sequence; give a list of SC(Z)YX shapes"),
        ((1, 1, 8, 8), "data shape of image stack 0, 1 is no sequence; give SCYX or SCZYX"),
        ([(8, 8)], "data shape (8, 8) (image stack 0) has 2 axes; give SCYX or SCZYX"),
        ([(1, 1, 1, 1, 8, 8)], "data shape (1, 1, 1, 1, 8, 8) (image stack 0) has 6 axes"),
        (
            [(1, 1, 8, 8), (1, 1, 4, 8, 8)],
            "data shapes (1, 1, 8, 8) and (1, 1, 4, 8, 8) (image stacks 0 and 1) differ in their "
            "number of axes; use one patching for 2D stacks and another for 3D stacks",
        ),
        ([(1, 1, 0, 8)], "data shape of image stack 0, Y: 0 is below 1; use 1 or more"),
        ([(1, 1, 8, 8), (-1, 1, 8, 8)], "data shape of image stack 1, S: -1 is below 1"),
        ([(1, 1, 8.0, 8)], "data shape of image stack 0, Y: 8.0 is not a whole number; use 1 or"),
        ([(1, 1, 4, 8, True)], "data shape of image stack 0, X: True is not a whole number"),
        ([(1, 1, float("inf"), 8, 8)], "data shape of image stack 0, Z: inf is not a whole number"),
        (["1188"], "data shape of image stack 0, '1188' is no sequence; give SCYX or SCZYX"),
    ],
)
def test_shapes_that_are_none(shapes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        check_data_shapes(shapes)


def test_shapes_come_in_any_sequence_and_leave_as_tuples_of_int() -> None:
    for shapes in (
        [[1, 2, 3, 4]],
        ((1, 2, 3, 4),),
        np.array([[1, 2, 3, 4]], np.uint16),
        [tuple(np.int64(n) for n in (1, 2, 3, 4))],
        (iter((1, 2, 3, 4)) for _ in range(1)),
    ):
        checked = check_data_shapes(shapes)
        assert checked == ((1, 2, 3, 4),)
        assert {type(size) for size in checked[0]} == {int}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (8.0, "8.0"),
        (True, "True"),
        (np.True_, "True"),
        (np.float32(8), "8.0"),
        (np.float64("nan"), "nan"),
        ("8", "'8'"),
        (None, "None"),
        (8 + 0j, "(8+0j)"),
        (np.eye(2), "array([[1., 0.], [0., 1.]])"),
    ],
)
def test_what_is_no_whole_number_is_named_with_its_axis(value: Any, text: str) -> None:
    for name, minimum in (("patch size", 1), ("overlap", 0)):
        message = f"{name} X: {text} is not a whole number; use {minimum} or more"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            check_sizes(name, (8, value), 2, minimum=minimum)


def test_a_number_without_a_bound_may_be_negative() -> None:
    assert check_number("coords Y:", -3) == -3
    with pytest.raises(ValueError, match=r"^coords Y: 1.5 is not a whole number; use one$"):
        check_number("coords Y:", 1.5)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((8,), "patch size (8,) has 1 numbers: give YX or ZYX"),
        ((8, 8, 8, 8), "patch size (8, 8, 8, 8) has 4 numbers: give YX or ZYX"),
        (np.array([8]), "patch size (8,) has 1 numbers: give YX or ZYX"),
        (64, "patch size 64 is no sequence; give one whole number per axis, YX or ZYX"),
        ("64", "patch size '64' is no sequence; give one whole number per axis, YX or ZYX"),
        (np.array(64), "patch size array(64) is no sequence; give one whole number per axis"),
        ({8, 16}, "patch size {8, 16} is no sequence; give one whole number per axis, YX or ZYX"),
        ({8: 1, 16: 2}, "patch size {8: 1, 16: 2} is no sequence; give one whole number per axis"),
        ((8, 0), "patch size X: 0 is below 1; use 1 or more"),
        ((-4, 8, 8), "patch size Z: -4 is below 1; use 1 or more"),
    ],
)
def test_patch_sizes_that_no_image_could_have(size: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        check_patch_size(size)


@pytest.mark.parametrize(
    ("overlaps", "message"),
    [
        ((2, 2), "overlap (2, 2) has 2 numbers, the image 3 spatial axes: give ZYX"),
        (4, "overlap 4 is no sequence; give one whole number per axis, ZYX"),
        ((1, 2, 2), "overlap Z: 1 is odd: use 0 or 2"),
        ((2, 2, 7), "overlap X: 7 is odd: use 6"),
        ((2, 2, 8), "overlap X: 8 is not less than the patch size 8: use 6 or less, or a larger"),
        ((2, -2, 2), "overlap Y: -2 is below 0; use 0 or more"),
    ],
)
def test_overlaps_that_no_patch_could_have(overlaps: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        check_overlaps(overlaps, (4, 8, 8))


def test_a_patch_larger_than_an_image_is_told_with_a_way_out() -> None:
    check_patch_fits((8, 9), [(1, 1, 8, 9), (1, 1, 10, 10)])
    message = (
        "patch size X: 9 is larger than the image's 7 (image stack 1): use 7 or less, leave that "
        "image out, or use TiledPatching, whose tiles may be larger than the image"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_patch_fits((8, 9), [(1, 1, 8, 9), (1, 1, 8, 7)])


def test_a_value_is_shown_in_one_short_line() -> None:
    assert shown((np.int64(3), [np.float32(0.5)])) == "(3, (0.5,))"
    assert "\n" not in shown(np.zeros((3, 3)))
    assert len(shown("x" * 10_000)) < 200
