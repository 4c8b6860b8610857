"""Reading block by block: any part from any blocks, and which block cannot be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.stacks.reading.block_pixels import BlockPixels, UnreadableBlockError


class Counted(BlockPixels):
    """Blocks of an array; counts what is read of it."""

    def __init__(self, array: NDArray[Any], chunks: list[list[int]]) -> None:
        super().__init__("TZYX"[4 - array.ndim :], chunks, array.dtype)
        self.array = array
        self.read: list[tuple[int, ...]] = []

    def read_block(self, cell: tuple[int, ...], part: tuple[slice, ...]) -> NDArray[Any]:
        self.read.append(cell)
        return self.array[part]


class Broken(Counted):
    def read_block(self, cell: tuple[int, ...], part: tuple[slice, ...]) -> NDArray[Any]:
        if cell[0] == 1:
            raise OSError("bad\nsector")
        if cell[0] == 2:
            raise MemoryError
        return self.array[:1]


@given(
    data=st.data(),
    chunks=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=2, max_size=4),
)
def test_any_part_from_blocks_of_any_size(data: st.DataObject, chunks: list[list[int]]) -> None:
    shape = [sum(sizes) for sizes in chunks]
    array = np.arange(np.prod(shape)).reshape(shape)
    pixels = Counted(array, chunks)
    assert pixels.shape == tuple(shape)
    assert pixels.chunks == tuple(map(max, chunks))
    for _ in range(3):
        index: list[int | slice] = []
        for n in shape:
            start = data.draw(st.integers(0, n - 1))
            stop = data.draw(st.integers(start + 1, n))
            index.append(data.draw(st.sampled_from([start, slice(start, stop)])))
        found = pixels[tuple(index)]
        np.testing.assert_array_equal(found, array[tuple(index)])
    assert len(pixels.read) == len(set(pixels.read))


def test_only_blocks_that_are_met_are_read_and_once() -> None:
    pixels = Counted(np.arange(60).reshape(6, 10), [[2, 2, 2], [5, 5]])
    pixels[slice(2, 4), slice(0, 5)]
    assert pixels.read == [(1, 0)]
    pixels[slice(1, 3), slice(4, 6)]
    assert sorted(pixels.read) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    pixels.close()
    pixels[3, 3]
    assert pixels.read[4:] == [(1, 0)]


def test_a_block_that_cannot_be_read_is_named() -> None:
    pixels = Broken(np.zeros((6, 4, 10), "u1"), [[1, 2, 3], [4], [5, 5]])
    with pytest.raises(UnreadableBlockError, match=r"^block Z=1…2 X=5…9: OSError: bad$"):
        pixels[1, 0, 7]
    with pytest.raises(UnreadableBlockError, match=r"\(1, 4, 10\) pixels were read instead of"):
        pixels[0, 0, 0]
    with pytest.raises(MemoryError):
        pixels[4, 0, 0]
    whole = Broken(np.zeros((6, 10), "u1"), [[6], [10]])
    with pytest.raises(UnreadableBlockError, match=r"^ValueError: \(1, 10\) pixels"):
        whole[0, 0]
