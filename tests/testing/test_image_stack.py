"""Each check finds what it is there for, and says so in one line; a right stack passes them all."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import ArrayStack, SampleView
from napari_tessera.testing import IMAGE_STACK_CHECKS, check_image_stack, check_patch

from . import broken_description, broken_pixels, broken_reading
from .broken_pixels import OffByOne, TMajor
from .broken_reading import GivesFloats, GivesViews
from .right import Array, Broken, Right

BROKEN = broken_description.BROKEN | broken_pixels.BROKEN | broken_reading.BROKEN

CASES = [
    pytest.param(check, broken, message, id=f"{check}-{getattr(broken, '__name__', broken)}")
    for check, cases in BROKEN.items()
    for broken, message in cases
]


def pixels(shape: tuple[int, ...] = (2, 3, 4, 19, 21), dtype: str = "uint16") -> Array:
    """An image in which every pixel has a value of its own."""
    return np.arange(1, np.prod(shape) + 1).reshape(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(2, 3, 4, 19, 21), (2, 3, 4, 5, 11, 12)], ids=["2D", "3D"])
@pytest.mark.parametrize("check", IMAGE_STACK_CHECKS.values(), ids=IMAGE_STACK_CHECKS)
def test_a_right_stack_passes(check: Any, shape: tuple[int, ...]) -> None:
    array = pixels(shape)
    before = array.copy()
    check(Right(array), array)
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(("check", "broken", "message"), CASES)
def test_a_broken_stack_fails(check: str, broken: Broken, message: str) -> None:
    array = pixels()
    before = array.copy()
    with pytest.raises(AssertionError, match=message) as error:
        IMAGE_STACK_CHECKS[check](broken(array), array)
    text = str(error.value)
    assert f": {check}: " in text
    assert "\n" not in text
    np.testing.assert_array_equal(array, before)
    with pytest.raises(AssertionError):
        check_image_stack(broken(array), array)


def test_every_check_has_a_stack_that_it_finds() -> None:
    assert set(BROKEN) == set(IMAGE_STACK_CHECKS)
    assert all(check.__doc__ for check in IMAGE_STACK_CHECKS.values())


def test_what_the_stack_raised_is_the_cause() -> None:
    class Unreadable(Right):
        def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
            raise OSError("disk gone\nsee the manual")

    array = pixels()
    with pytest.raises(AssertionError) as error:
        IMAGE_STACK_CHECKS["whole_samples"](Unreadable(array), array)
    assert str(error.value) == (
        "right: whole_samples: extract_patch(0, None, (0, 0), (19, 21)) raised OSError: disk gone"
    )
    assert isinstance(error.value.__cause__, OSError)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (ImageMetadata("YX", scale=(1.0, 1.0)), "metadata is for axes YX, the stack has STCYX"),
        (ImageMetadata("STCYX", scale=(1, 1, 1, 0, 1)), "scale 0 along Y is no size of a step"),
        (
            ImageMetadata("STCYX", translation=(0, 0, 0, 0, float("nan"))),
            "translation nan along X is no position",
        ),
        (ImageMetadata("STCYX", channel_names=("a",)), "1 channel names for 4 channels"),
    ],
)
def test_metadata_that_does_not_fit_is_found(metadata: ImageMetadata, message: str) -> None:
    array = pixels()
    stack: Any = Right(array)
    stack.metadata = metadata
    with pytest.raises(AssertionError, match=message):
        check_image_stack(stack, array)


def test_axes_in_another_order_than_they_lie_are_found() -> None:
    array = pixels((3, 3, 4, 19, 21))
    stack = Right(array)
    stack.original_axes = "TSCYX"
    with pytest.raises(AssertionError, match=r"sample_order: .*\(samples are S-major"):
        check_image_stack(stack, array)
    stack = TMajor(array)
    stack.original_axes = "TSCYX"
    check_image_stack(stack, array)


def test_the_wrong_array_is_told_from_a_wrong_stack() -> None:
    stack = Right(pixels())
    with pytest.raises(AssertionError, match=r"shapes: original_data_shape is .* the reference"):
        check_image_stack(stack, pixels((3, 2, 4, 19, 21)))
    with pytest.raises(AssertionError, match="STCYX has 5 letters, the image 2 axes"):
        check_image_stack(stack, pixels((19, 21)))


def test_nan_equals_nan_and_nothing_else() -> None:
    array = pixels(dtype="float32")
    array[..., 3] = np.nan
    check_image_stack(Right(array), array)
    numbers = np.nan_to_num(array)
    with pytest.raises(AssertionError, match=r"differs in .* nan instead of 0.0"):
        check_image_stack(Right(array), numbers)
    with pytest.raises(AssertionError, match=r"differs in .* 0.0 instead of nan"):
        check_image_stack(Right(numbers), array)


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float64", ">u2"])
def test_every_kind_of_number_is_compared(dtype: str) -> None:
    array = pixels(dtype=dtype)
    check_image_stack(ArrayStack(array, "STCYX"), array)


@pytest.mark.parametrize("fold", ["", "Z", "C", "ZC"])
def test_a_folded_stack_has_the_array_of_the_stack_it_shows(fold: str) -> None:
    array = pixels((2, 3, 4, 5, 11, 12))
    check_image_stack(SampleView(Right(array), fold), array)
    with pytest.raises(AssertionError, match="differs in"):
        check_image_stack(SampleView(Right(array), fold), array[::-1])


class Counted:
    """An array far larger than memory, each pixel computed; knows how many were looked at."""

    shape = (50, 3, 100_000, 200_000)
    dtype = np.dtype("uint16")

    def __init__(self) -> None:
        self.pixels = 0

    def __getitem__(self, index: tuple[int | slice, ...]) -> Array:
        lengths = zip(index, self.shape, strict=True)
        axes = [
            np.arange(length)[i] if isinstance(i, slice) else np.array([i]) for i, length in lengths
        ]
        grid = np.ix_(*axes)
        block = sum(axis * weight for axis, weight in zip(grid, (11, 7, 5, 3), strict=True))
        kept = [axis for axis, i in enumerate(index) if isinstance(i, slice)]
        block = np.asarray(block % 60_000 + 1, np.uint16)
        self.pixels += block.size
        return block.reshape([block.shape[axis] for axis in kept])


def test_a_huge_image_is_checked_by_few_of_its_pixels() -> None:
    array = Counted()
    check_image_stack(ArrayStack(array, "TCYX"), array)
    assert array.pixels < 3e7


def test_one_patch_alone() -> None:
    array = pixels()
    check_patch(Right(array), array, (5, (3, 0), (-2, 15), (8, 9)))
    with pytest.raises(AssertionError, match=r"check_patch: .* differs"):
        check_patch(OffByOne(array), array, (5, (3, 0), (2, 3), (8, 9)))
    with pytest.raises(AssertionError, match="has dtype float64"):
        check_patch(GivesFloats(array), array, (5, None, (2, 3), (8, 9)))
    with pytest.raises(AssertionError, match="is not C-contiguous"):
        check_patch(GivesViews(array), array, (5, None, (2, 3), (8, 9)))
    with pytest.raises(AssertionError, match="is a view of the image's own memory"):
        check_patch(GivesViews(array), array, (5, None, (0, 0), (19, 21)))


def test_no_test_runner_is_needed() -> None:
    code = "import sys, napari_tessera.testing; print({'pytest', 'hypothesis'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "set()"
