"""Memory that one patch of a file of 4 GB takes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

SIDE = 46_336
"""Rows and columns of an image of 4 GB of 16-bit pixels."""
MARKED = slice(20_000, 20_256), slice(30_000, 30_256)
"""Where the image is not zero."""
LIMIT_MB = 200

READ_A_PATCH = """
import json, re, sys
from napari_tessera.stacks import TiffStack
path, sample, coords, size = sys.argv[1], *map(json.loads, sys.argv[2:])
with TiffStack(path) as stack:
    patch = stack.extract_patch(sample, None, coords, size)
    chunks = stack.chunks
print(json.dumps({
    "sum": int(patch.sum(dtype="uint64")),
    "chunks": chunks,
    # what resource.getrusage tells may be the peak of the process that started this one
    "peak": int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024,
}))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is told by /proc")


class SparseFile(io.RawIOBase):
    """A file that leaves holes where zeros are written, so that 4 GB take no room on the disk."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("wb", buffering=0)
        self.name = str(path)

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        if len(view) < 4096 or np.frombuffer(view, np.uint8).any():
            return self._file.write(view)
        self._file.seek(len(view), io.SEEK_CUR)
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self._file.closed:
            self._file.truncate(max(self.tell(), self.seek(0, io.SEEK_END)))
            self._file.close()
        super().close()


def write_sparse(path: Path, **settings: Any) -> None:
    with SparseFile(path) as file:
        tifffile.imwrite(file, photometric="minisblack", **settings)


def marked_tiles(side: int) -> Iterator[np.ndarray]:
    """Tiles of a square image that is zero but for one square."""
    zeros, count = np.zeros((side, side), np.uint16), -(-SIDE // side)
    for row in range(0, count * side, side):
        for column in range(0, count * side, side):
            rows = slice(max(MARKED[0].start, row), min(MARKED[0].stop, row + side))
            columns = slice(max(MARKED[1].start, column), min(MARKED[1].stop, column + side))
            if rows.start >= rows.stop or columns.start >= columns.stop:
                yield zeros
                continue
            tile = zeros.copy()
            tile[
                rows.start - row : rows.stop - row,
                columns.start - column : columns.stop - column,
            ] = 3
            yield tile


def read(path: Path, sample: int, coords: tuple[int, ...], size: tuple[int, ...]) -> dict[str, Any]:
    """Sum and peak memory of a patch that a process of its own reads."""
    arguments = [str(path), str(sample), json.dumps(coords), json.dumps(size)]
    command = [sys.executable, "-c", READ_A_PATCH, *arguments]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_a_patch_of_a_tiled_bigtiff(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    side = 256 if compression is None else 512
    write_sparse(
        path,
        data=marked_tiles(side),
        shape=(SIDE, SIDE),
        dtype="uint16",
        tile=(side, side),
        compression=compression,
        bigtiff=True,
    )
    assert path.stat().st_blocks * 512 < 100e6
    if compression is None:
        assert path.stat().st_size > 4e9
    found = read(path, 0, (20_000, 30_000), (256, 256))
    assert found["chunks"] == [side, side]
    assert found["sum"] == 3 * 256 * 256
    assert found["peak"] < LIMIT_MB


def test_a_patch_of_an_imagej_stack_with_one_directory(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    shape, axes = (300, 30, 2, 512, 512), "TZCYX"
    with pytest.warns(UserWarning, match="truncating ImageJ file"):
        tifffile.imwrite(path, shape=shape, dtype="uint8", imagej=True, metadata={"axes": axes})
    assert path.stat().st_size > 4 * 2**30
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
        start = file.pages.first.dataoffsets[0]
    # the second channel of the last plane of the last time point
    with path.open("r+b") as file:
        file.seek(start + (300 * 30 * 2 - 1) * 512 * 512)
        file.write(bytes([3]) * 512 * 512)
    found = read(path, 299, (29, 100, 100), (1, 256, 256))
    assert found["sum"] == 3 * 256 * 256
    assert found["peak"] < LIMIT_MB


@pytest.mark.parametrize("metadata", [None, {"axes": "ZYX"}])
def test_a_patch_of_many_pages(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    settings = {"metadata": metadata, "photometric": "minisblack", "bigtiff": True}
    tifffile.imwrite(path, shape=(16_384, 512, 512), dtype="uint8", **settings)
    assert path.stat().st_size > 4 * 2**30
    with tifffile.TiffFile(path) as file:
        start = file.pages.first.dataoffsets[0]
    with path.open("r+b") as file:
        file.seek(start + 16_383 * 512 * 512)
        file.write(bytes([3]) * 512 * 512)
    found = read(path, 0, (16_383, 100, 100), (1, 256, 256))
    assert found["sum"] == 3 * 256 * 256
    assert found["peak"] < LIMIT_MB


@pytest.mark.slow
def test_a_patch_of_many_pages_of_many_strips(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    page = np.full((512, 512), 3, np.uint16)
    tifffile.imwrite(
        path,
        (page for _ in range(1500)),
        shape=(1500, 512, 512),
        dtype="uint16",
        metadata=None,
        photometric="minisblack",
        compression="zlib",
        rowsperstrip=8,
        bigtiff=True,
    )
    found = read(path, 0, (1499, 100, 100), (1, 256, 256))
    assert found["sum"] == 3 * 256 * 256
    assert found["peak"] < LIMIT_MB
