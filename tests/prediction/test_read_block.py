from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.prediction.read_block import read_block
from napari_tessera.stacks import StackReadError, open_stack

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 3, "Y": 5, "X": 4}


@given(data=st.data())
def test_a_block_is_what_the_array_has_there(data: st.DataObject) -> None:
    optional = data.draw(st.lists(st.sampled_from("STCZ"), unique=True))
    axes = "".join(data.draw(st.permutations([*optional, "Y", "X"])))
    shape = tuple(SIZES[letter] for letter in axes)
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    block = []
    for size in shape:
        start = data.draw(st.integers(0, size - 1))
        block.append(slice(start, data.draw(st.integers(start + 1, size))))
    found = read_block(open_stack(pixels, axes), block)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels[tuple(block)])


def test_channels_are_counted_among_those_that_were_opened(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 9999, (2, 4, 8, 9)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", pixels, imagej=True, metadata={"axes": "TCYX"})
    with open_stack(tmp_path / "x.tif", channels=[3, 1]) as stack:
        block = (slice(1, 2), slice(0, 2), slice(2, 7), slice(0, 9))
        np.testing.assert_array_equal(read_block(stack, block), pixels[1:, [3, 1], 2:7])


def test_what_cannot_be_read_says_where(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((40, 50), np.uint8))
    with open_stack(tmp_path / "x.npy") as stack:
        stack.close()
        with pytest.raises((StackReadError, ValueError), match=r"x\.npy is closed"):
            read_block(stack, (slice(0, 4), slice(0, 4)))
