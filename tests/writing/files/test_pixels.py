from __future__ import annotations

from math import prod
from pathlib import Path

import dask.array
import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.writing.files.pixels import OrderedPixels, blocks_of, c_order_blocks

from .images import all_axes, disk_letters, image, ordered


@given(axes=all_axes(), data=st.data())
def test_any_part_in_any_order_is_what_the_whole_has_there(axes: str, data: st.DataObject) -> None:
    array = image(axes, ">u2")
    letters = disk_letters(axes, "TCZYX")
    order = "".join(data.draw(st.permutations(letters)))
    pixels = OrderedPixels(array, axes, order)
    expected = ordered(array, axes, order)
    assert pixels.shape == expected.shape
    part = []
    for size in expected.shape:
        start = data.draw(st.integers(0, size - 1))
        part.append(slice(start, data.draw(st.integers(start + 1, size))))
    read = pixels.read(part)
    np.testing.assert_array_equal(read, expected[tuple(part)])
    assert read.dtype == pixels.dtype == np.dtype("=u2")


@given(axes=all_axes())
def test_samples_stay_where_they_are_asked_for(axes: str) -> None:
    array = image(axes)
    pixels = OrderedPixels(array, axes, axes)
    assert pixels.nbytes == array.nbytes
    np.testing.assert_array_equal(pixels[tuple(slice(0, size) for size in array.shape)], array)


def test_all_kinds_of_arrays_are_read(tmp_path: Path) -> None:
    array = image("SZYXT")
    expected = ordered(array, "SZYXT", "TZYX")
    stored = zarr.create_array(
        tmp_path / "a.zarr", shape=array.shape, chunks=(1, 3, 15, 7, 2), dtype=array.dtype
    )
    stored[...] = array
    np.save(tmp_path / "a.npy", array)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for source, chunks in (
            (stored, (2, 3, 15, 7)),
            (dask.array.from_array(array, chunks=(1, 3, 15, 7, 2)), (2, 3, 15, 7)),
            (file.create_dataset("a", data=array, chunks=(1, 3, 15, 7, 2)), (2, 3, 15, 7)),
            (file.create_dataset("whole", data=array), (1, 1, 1, 1)),
            (np.load(tmp_path / "a.npy", mmap_mode="r"), (1, 1, 1, 1)),
        ):
            pixels = OrderedPixels(source, "SZYXT", "TZYX")
            assert pixels.chunks == chunks
            blocks = [block.reshape(-1, 18) for block in blocks_of(pixels, limit=3000)]
            assert len(blocks) >= 6
            np.testing.assert_array_equal(np.concatenate(blocks).ravel(), expected.ravel())


def test_samples_alone_are_read_in_their_chunks() -> None:
    source = dask.array.from_array(image("SYX", S=7), chunks=(3, 15, 18))
    assert OrderedPixels(source, "SYX", "TYX").chunks == (3, 15, 18)


@given(data=st.data())
def test_blocks_follow_each_other_and_cover_all(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 7), min_size=2, max_size=5))
    chunks = [data.draw(st.integers(1, size)) for size in shape]
    rows = data.draw(st.integers(1, 5))
    limit = data.draw(st.integers(1, 4000))
    numbers = np.arange(prod(shape)).reshape(shape)
    after = 0
    for part in c_order_blocks(shape, chunks, 2, rows=rows, limit=limit):
        block = numbers[part]
        np.testing.assert_array_equal(block.ravel(), np.arange(after, after + block.size))
        after += block.size
        assert block.nbytes // 4 <= max(limit, rows * shape[-1] * 2)
        if block.shape[-2] < shape[-2]:
            # the last one of a plane may be shorter
            assert part[-2].start % rows == 0
            assert part[-2].stop % rows == 0 or part[-2].stop == shape[-2]
    assert after == numbers.size


@pytest.mark.parametrize(
    ("shape", "chunks", "rows", "limit", "lengths"),
    [
        # two chunks of planes fit, five planes would too
        ((9, 8, 8), (2, 8, 8), 1, 5 * 64, {4, 1}),
        # a part of a plane: rows of tiles, whole chunks of them where these fit
        ((2, 100, 10), (1, 16, 10), 4, 330, {32, 4}),
        ((2, 100, 10), (1, 64, 10), 4, 330, {32, 4}),
        ((2, 100, 10), (1, 6, 10), 4, 330, {32, 4}),
        # one row of tiles, though it is more than the limit
        ((1, 64, 1000), (1, 64, 1000), 16, 10, {16}),
    ],
)
def test_blocks_are_of_whole_chunks_where_these_fit(
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    rows: int,
    limit: int,
    lengths: set[int],
) -> None:
    parts = list(c_order_blocks(shape, chunks, 1, rows=rows, limit=limit))
    cut = 0 if parts[0][1].stop == shape[1] else 1
    assert {part[cut].stop - part[cut].start for part in parts} == lengths


def test_each_chunk_is_unpacked_once_where_a_row_of_them_fits() -> None:
    shape, chunks = (32, 200, 300), (8, 50, 100)

    class Counting:
        def __init__(self) -> None:
            self.array = np.zeros(shape, np.uint8)
            self.shape, self.dtype, self.chunks = shape, self.array.dtype, chunks
            self.read = 0

        def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
            touched = [
                -(-part.stop // length) - part.start // length
                for part, length in zip(index, chunks, strict=True)
            ]
            self.read += prod(touched)
            return self.array[index]

    source = Counting()
    for _ in blocks_of(OrderedPixels(source, "ZYX", "ZYX"), limit=8 * 200 * 300):
        pass
    assert source.read == 4 * 4 * 3


def test_axes_that_do_not_describe_the_image_are_refused() -> None:
    with pytest.raises(ValueError, match="TYX has 3 letters, the image 2 axes"):
        OrderedPixels(np.zeros((4, 4)), "TYX", "TYX")
