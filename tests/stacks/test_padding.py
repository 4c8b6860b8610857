from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_tessera.stacks import ArrayStack, SampleView, pad_patch
from napari_tessera.stacks.padding import inside, take_channels, zero_padded


def test_pads_on_either_side() -> None:
    data = np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3)
    patch = pad_patch((-1, -2), (4, 6), (1, 1, 2, 3), data)
    assert patch.shape == (1, 4, 6)
    assert patch.dtype == np.uint8
    np.testing.assert_array_equal(patch[0, 1:3, 2:5], data[0])
    assert patch.sum() == data.sum()


def test_gives_a_new_array_where_nothing_is_padded() -> None:
    data = np.ones((2, 3, 3), np.float32)
    patch = pad_patch((1, 1), (3, 3), (1, 2, 9, 9), data)
    patch[:] = 5
    assert (data == 1).all()


def test_a_patch_beside_the_image_is_zero() -> None:
    start, size = inside((-9, 2), (4, 4), (8, 8))
    assert (start, size) == ((0, 2), (0, 4))
    nothing = np.empty((1, 0, 4), np.int16)
    assert not pad_patch((-9, 2), (4, 4), (1, 1, 8, 8), nothing).any()


def test_refuses_data_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"has \(3, 4\) pixels inside .*\(4, 4\) were given"):
        pad_patch((-1, 0), (4, 4), (1, 1, 8, 8), np.zeros((1, 4, 4)))


def test_channels_in_a_row_are_a_view() -> None:
    block = np.arange(4)[:, np.newaxis, np.newaxis]
    assert np.shares_memory(take_channels(block, [2, 3], 2), block)
    assert take_channels(block, [5, 3, 3], 2).ravel().tolist() == [3, 1, 1]


def test_a_block_that_is_nobody_elses_is_the_patch_itself() -> None:
    block = np.arange(12, dtype="uint16").reshape(1, 3, 4)
    whole = ((2, 5), (3, 4), (2, 5))
    assert zero_padded(block, *whole, copy=False) is block
    assert not np.shares_memory(zero_padded(block, *whole), block)
    turned = block.transpose(0, 2, 1)
    found = zero_padded(turned, (2, 5), (4, 3), (2, 5), copy=False)
    assert found.flags.c_contiguous
    assert not np.shares_memory(found, block)
    block.flags.writeable = False
    assert zero_padded(block, *whole, copy=False).flags.writeable


@pytest.mark.parametrize(
    ("sample", "channels", "coords", "size"),
    [
        (0.5, None, (0, 0), (4, 5)),
        ("0", None, (0, 0), (4, 5)),
        (0, [0.7], (0, 0), (4, 5)),
        (0, 0, (0, 0), (4, 5)),
        (0, [False], (0, 0), (4, 5)),
        (0, None, (0.5, 0), (4, 5)),
        (0, None, np.array([1.0, 0]), (4, 5)),
        (0, None, (0, 0), (4.0, 5)),
        (0, None, 3, (4, 5)),
        (0, None, (0, 0), None),
    ],
)
def test_nothing_but_whole_numbers(sample: Any, channels: Any, coords: Any, size: Any) -> None:
    stack = ArrayStack(np.zeros((3, 6, 7)), "TYX")
    for one in (stack, SampleView(stack, "C")):
        with pytest.raises(TypeError, match=r"^sample .*, coords .* must be whole numbers$"):
            one.extract_patch(sample, channels, coords, size)
    index = np.int64(1)
    patch = stack.extract_patch(index, np.array([0]), np.array([index, 0]), (np.uint8(4), 5))
    assert patch.shape == (1, 4, 5)


def test_channels_from_an_iterator_are_read_once() -> None:
    array = np.arange(2 * 4 * 6 * 7).reshape(2, 4, 6, 7)
    stack = ArrayStack(array, "TCYX")
    expected = array[1][[2, 0], 1:5, 1:4]
    for one in (stack, SampleView(stack, "")):
        for channels in (iter([2, 0]), (c for c in (2, 0))):
            found = one.extract_patch(1, channels, (1, 1), (4, 3))  # type: ignore[arg-type]
            assert np.array_equal(found, expected)
