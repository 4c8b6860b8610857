"""Images larger than memory are written a block at a time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from napari_tessera.writing import write_file

MIB = 2**20
PLANE = (1024, 1024)
FILES = ["a.ome.zarr", "a.ome.tif", "a.tif", "a.npy"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> zarr.Array[Any]:
    """96 MiB of pixels, packed in chunks of several planes."""
    path = tmp_path_factory.mktemp("in") / "in.zarr"
    source = zarr.create_array(
        path,
        shape=(48, *PLANE),
        chunks=(8, 256, 256),
        dtype="uint16",
        compressors=BloscCodec(cname="lz4", clevel=1),
    )
    plane = np.add.outer(np.arange(1024), np.arange(1024)).astype(np.uint16)
    for z in range(0, 48, 8):
        source[z : z + 8] = np.stack([plane + z + at for at in range(8)])
    return source


class Part:
    """The first planes of an array, unread."""

    def __init__(self, array: zarr.Array[Any], n_planes: int) -> None:
        self._array, self.dtype, self.chunks = array, array.dtype, array.chunks
        self.shape = (n_planes, *array.shape[1:])
        self.most = 0

    def __getitem__(self, index: Any) -> Any:
        block = self._array[index]
        self.most = max(self.most, block.nbytes)
        return block


def peak_of(path: Path, image: Part) -> int:
    """Bytes in use at most while an image is written."""
    tracemalloc.start()
    try:
        write_file(path, image, axes="ZYX", memory_limit=4 * MIB)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FILES)
def test_memory_does_not_grow_with_the_image(
    tmp_path: Path, stack: zarr.Array[Any], name: str
) -> None:
    # what is made once, like the threads of a codec, does not count
    write_file(tmp_path / f"first_{name}", Part(stack, 1), axes="ZYX")
    small, large = Part(stack, 8), Part(stack, 48)
    few = peak_of(tmp_path / f"small_{name}", small)
    many = peak_of(tmp_path / name, large)
    assert max(small.most, large.most) <= 4 * MIB
    # 16 and 96 MiB of pixels
    assert many < few + 4 * MIB
    assert many < 40 * MIB
