from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zarr.core.indexing import morton_order_iter
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.writing.chunks.checksum import crc32c
from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.chunks.encoding import ChunkEncoder, morton_order
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.ome.arrays import COMPRESSIONS, create_pixel_array

SHAPE = (2, 40, 70)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def pixels_like(dtype: str) -> np.ndarray:
    pixels = np.random.default_rng(0).normal(100, 40, SHAPE)
    return pixels.clip(0, 200).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(
    ("zarr_format", "shards"), [(2, None), (3, None), (3, (2, 32, 64)), (3, (1, 16, 96))]
)
def test_files_are_those_that_zarr_writes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: str,
    compression: Any,
    zarr_format: Any,
    shards: Any,
) -> None:
    # zarr's gzip says when it was written, ours does not
    monkeypatch.setattr("time.time", lambda: 0.0)
    pixels = pixels_like(dtype)
    for name in ("ours", "zarrs"):
        group = zarr.create_group(LocalStore(tmp_path / name), zarr_format=zarr_format)
        array = create_pixel_array(
            group.create_group("a"),
            "0",
            axes="ZYX",
            shape=SHAPE,
            chunks=(1, 16, 32),
            shards=shards,
            dtype=dtype,
            compression=compression,
        )
        grid = ChunkGrid.of(array)
        writer = ChunkWriter(array)
        assert ChunkEncoder.of(array) is not None
        for chunk in grid:
            if name == "ours":
                writer.write(chunk, pixels[grid.region(chunk)])
            else:
                array[grid.region(chunk)] = pixels[grid.region(chunk)]
    ours, zarrs = files_of(tmp_path / "ours"), files_of(tmp_path / "zarrs")
    assert ours == zarrs
    assert len(ours) >= 7
    stored = zarr.open_array(LocalStore(tmp_path / "ours"), path="a/0", mode="r")
    np.testing.assert_array_equal(stored[:], pixels)


@pytest.mark.parametrize("dtype", [">u2", ">f4", "<i4"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_pixels_are_stored_in_the_byte_order_of_the_array(
    tmp_path: Path, dtype: str, zarr_format: Any
) -> None:
    pixels = pixels_like("float32").astype(np.dtype(dtype).newbyteorder("="))
    serializer = {} if zarr_format == 2 else {"serializer": zarr.codecs.BytesCodec(endian="big")}
    for name in ("ours", "zarrs"):
        array = zarr.create_array(
            tmp_path / name,
            shape=SHAPE,
            chunks=(1, 64, 64),
            dtype=dtype if zarr_format == 2 else np.dtype(dtype).newbyteorder("="),
            zarr_format=zarr_format,
            **serializer,
        )
        grid = ChunkGrid.of(array)
        for chunk in grid:
            if name == "ours":
                ChunkWriter(array).write(chunk, pixels[grid.region(chunk)])
            else:
                array[grid.region(chunk)] = pixels[grid.region(chunk)]
    assert files_of(tmp_path / "ours") == files_of(tmp_path / "zarrs")


@pytest.mark.parametrize(
    "settings",
    [
        {"compressors": [BloscCodec(), ZstdCodec()]},
        {"filters": [TransposeCodec(order=(2, 1, 0))]},
        {
            "serializer": ShardingCodec(
                chunk_shape=(1, 8, 8), codecs=[zarr.codecs.BytesCodec()], index_location="start"
            ),
            "compressors": None,
        },
        {"zarr_format": 2, "order": "F"},
    ],
)
def test_what_is_not_known_is_written_through_zarr(tmp_path: Path, settings: Any) -> None:
    array = zarr.create_array(
        tmp_path / "a", shape=SHAPE, chunks=(1, 16, 32), dtype="uint16", **settings
    )
    assert ChunkEncoder.of(array) is None
    pixels = pixels_like("uint16")
    grid = ChunkGrid.of(array)
    for chunk in grid:
        ChunkWriter(array).write(chunk, pixels[grid.region(chunk)])
    np.testing.assert_array_equal(array[:], pixels)


def test_several_threads_write_the_same_bytes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).poisson(400, (640, 640)).astype(np.uint16)
    for name in ("one", "many"):
        group = zarr.create_group(LocalStore(tmp_path / name))
        array = create_pixel_array(
            group, "0", axes="YX", shape=pixels.shape, chunks=(64, 64), dtype="uint16"
        )
        grid, writer = ChunkGrid.of(array), ChunkWriter(array)
        if name == "one":
            for chunk in grid:
                writer.write(chunk, pixels[grid.region(chunk)])
        else:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda c, w=writer, g=grid: w.write(c, pixels[g.region(c)]), grid))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "many")


def test_a_chunk_of_nothing_but_the_fill_value_is_stored() -> None:
    store = MemoryStore()
    array = zarr.create_array(store, shape=(8, 8), chunks=(8, 8), dtype="uint16")
    ChunkWriter(array).write((0, 0), np.zeros((8, 8), np.uint16))
    assert "c/0/0" in store._store_dict


@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_chunks_of_a_shard_lie_in_the_order_in_which_zarr_puts_them(counts: Sequence[int]) -> None:
    assert morton_order(counts) == list(morton_order_iter(tuple(counts)))
    assert sorted(morton_order(counts)) == list(product(*map(range, counts)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_checksums_are_those_of_rfc_3720(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected
