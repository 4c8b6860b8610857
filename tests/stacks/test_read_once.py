"""Which stacks keep decoded chunks for a pass, and for how long."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
import zarr
from zarr.storage import MemoryStore

from napari_tessera.stacks import ArrayStack, ImageStack, LayerStack, TimeAsDepth, open_stack
from napari_tessera.stacks.read_once import read_once
from napari_tessera.stacks.reading.expected import ExpectedReads, Parts
from napari_tessera.stacks.tiff.pixels import TiffPixels

from .counting_store import CountingStore
from .imaris_files import write_imaris
from .zarr_files import random_image, store_array

STARTS = range(0, 33, 8)
TILES = ExpectedReads(
    {"Y": Parts.of((y, y + 16) for y in STARTS), "X": Parts.of((x, x + 16) for x in STARTS)}
)


def read_tiles(stack: ImageStack, image: np.ndarray) -> None:
    for y, x in product(STARTS, STARTS):
        patch = stack.extract_patch(0, None, (y, x), (16, 16))
        np.testing.assert_array_equal(patch[0], image[y : y + 16, x : x + 16])
        assert patch.flags.owndata or patch.base is not None
        patch[...] = 0


class Layer:
    """What a layer of napari has."""

    rgb, multiscale, name = False, False, "cells"
    scale = translate = (1.0, 1.0)

    def __init__(self, data: Any) -> None:
        self.data = data


def lazy(image: np.ndarray, chunks: Any) -> tuple[da.Array, Counter[Any]]:
    """A dask array that counts how often each block is computed."""
    computed: Counter[Any] = Counter()

    def block(values: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info is not None:
            computed[tuple(block_info[0]["chunk-location"])] += 1
        return values + 0

    array = da.from_array(image, chunks=chunks)
    return array.map_blocks(block, dtype=image.dtype, meta=image[:0, :0]), computed


@pytest.mark.parametrize("chunks", [(10, 12), ((5, 20, 23), (48,)), (16, 16)])
@pytest.mark.parametrize("layer", [False, True])
def test_blocks_of_dask_are_computed_once(chunks: Any, layer: bool) -> None:
    image = random_image(48, 48)
    data, computed = lazy(image, chunks)
    stack = LayerStack(Layer(data), "YX") if layer else open_stack(data, "YX")
    read_tiles(read_once(stack, TILES), image)
    assert set(computed.values()) == {1}
    assert len(computed) == np.prod(data.numblocks)
    computed.clear()
    read_tiles(stack, image)
    assert max(computed.values()) > 1


def test_what_reads_zarr_from_a_dask_array() -> None:
    counting = CountingStore(MemoryStore())
    image = store_array(counting, random_image(48, 48), 10)
    stack = open_stack(da.from_zarr(zarr.open_array(counting, mode="r+")), "YX")
    counting.reads.clear()
    read_tiles(read_once(stack, TILES), image)
    assert set(counting.of_chunks().values()) == {1}
    assert len(counting.of_chunks()) == 25


def test_a_dataset_of_hdf5_that_is_no_file_of_ours(tmp_path: Path) -> None:
    image = random_image(48, 48)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("a", data=image, chunks=(10, 12))
        read_tiles(read_once(open_stack(dataset, "YX"), TILES), image)


def test_strips_and_tiles_of_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of plain pixels the rows that are wanted are read, and there is nothing to keep."""
    image = random_image(48, 48)
    decoded: Counter[Any] = Counter()
    decode = TiffPixels._decode

    def counting(self: TiffPixels, page: Any, segment: int, *others: Any) -> np.ndarray:
        decoded[segment] += 1
        return decode(self, page, segment, *others)

    monkeypatch.setattr(TiffPixels, "_decode", counting)
    kinds: dict[str, Any] = {
        "plain": {},
        "raw tiles": {"tile": (16, 16)},
        "tiles": {"tile": (16, 32), "compression": "zlib"},
        "strips": {"rowsperstrip": 10, "compression": "zlib"},
    }
    for name, settings in kinds.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, image, **settings)
        decoded.clear()
        with open_stack(path, "YX") as stack:
            once = read_once(stack, TILES)
            assert (once is stack) == (name in ("plain", "raw tiles"))
            read_tiles(once, image)
        with pytest.raises(ValueError, match="is closed"):
            once.extract_patch(0, None, (0, 0), (4, 4))
        counts = {"tiles": 3 * 2, "strips": 5}.get(name, 0)
        assert sorted(decoded.values()) == [1] * counts


def test_stacks_that_keep_chunks_by_themselves_or_have_none(tmp_path: Path) -> None:
    image = random_image(48, 48)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=image, chunks=(10, 12), compression="gzip")
    write_imaris(tmp_path / "a.ims", [random_image(1, 1, 4, 48, 48)])
    tifffile.imwrite(tmp_path / "t1.tif", image, tile=(16, 16), compression="zlib")
    huge = da.zeros((5000, 5000), chunks=-1, dtype="f4")
    sources: list[Any] = [image, tmp_path / "a.h5", tmp_path / "a.ims", [tmp_path / "t1.tif"], huge]
    for source in sources:
        with open_stack(source) as stack:
            assert read_once(stack) is stack

    class Own:
        """A stack of somebody's own."""

    own: Any = Own()
    assert read_once(own) is own
    depth = TimeAsDepth(open_stack(random_image(2, 8, 8), "TYX"))
    assert read_once(depth) is depth


def test_time_as_depth() -> None:
    counting = CountingStore(MemoryStore())
    image = store_array(counting, random_image(8, 20, 20), 8)
    with open_stack(zarr.open_array(counting, mode="r+"), "TYX") as stack:
        counting.reads.clear()
        once = read_once(TimeAsDepth(stack))
        for z, y in product((0, 2, 4), (0, 4, 8)):
            patch = once.extract_patch(0, None, (z, y, 3), (4, 8, 12))
            np.testing.assert_array_equal(patch[0], image[z : z + 4, y : y + 8, 3:15])
        once.close()
        stack.extract_patch(0, None, (0, 0), (4, 4))
    assert set(counting.of_chunks().values()) == {1, 2}, "once more by the stack itself"
    assert sum(counting.of_chunks().values()) == 4 + 1


def test_the_stack_itself_goes_on_reading_what_is_there() -> None:
    store = MemoryStore()
    image = store_array(store, random_image(16, 16))
    array = zarr.open_array(store, mode="r+")
    with open_stack(array, "YX") as stack:
        once = read_once(stack)
        read = once.extract_patch(0, None, (0, 0), (16, 16))
        array[...] = 7
        np.testing.assert_array_equal(once.extract_patch(0, None, (0, 0), (16, 16)), read)
        assert (stack.extract_patch(0, None, (0, 0), (16, 16)) == 7).all()
        assert (read_once(stack).extract_patch(0, None, (0, 0), (16, 16)) == 7).all()
        np.testing.assert_array_equal(read[0], image)
    with pytest.raises(ValueError, match="is closed"):
        once.extract_patch(0, None, (0, 0), (16, 16))


def test_types_and_channels_are_those_of_the_stack() -> None:
    store = MemoryStore()
    image = store_array(store, random_image(4, 16, 16).astype(">u2"))
    parts = {"C": Parts.of([(0, 1), (1, 2)]), "Y": Parts.of([(0, 16)]), "X": Parts.of([(0, 16)])}
    for channels in ([1, 3], [3, 1], [2]):
        stack = ArrayStack(zarr.open_array(store, mode="r"), "CYX", channels=channels)
        once = read_once(stack, ExpectedReads(parts) if len(channels) == 2 else None)
        assert once.data_shape == stack.data_shape
        for at, channel in enumerate(channels):
            patch = once.extract_patch(0, [at], (-2, 3), (10, 20))
            assert patch.dtype == np.uint16
            expected = stack.extract_patch(0, [at], (-2, 3), (10, 20))
            np.testing.assert_array_equal(patch, expected)
            np.testing.assert_array_equal(patch[0, 2:, :13], image[channel, :8, 3:])
