"""Files of chunks that are whole, and those that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, GzipCodec, ShardingCodec, ZstdCodec

from napari_tessera.writing.stored.whole_chunks import look_at_chunks

PIXELS = np.random.default_rng(3).integers(0, 900, (60, 50)).astype(np.uint16)

ARRAYS: dict[str, dict[str, Any]] = {
    "blosc": {"compressors": BloscCodec(cname="zstd"), "zarr_format": 3},
    "gzip": {"compressors": GzipCodec(), "zarr_format": 3},
    "blosc of Zarr 2": {"compressors": numcodecs.Blosc("lz4"), "zarr_format": 2},
    "gzip of Zarr 2": {"compressors": numcodecs.GZip(3), "zarr_format": 2},
    "shards": {"shards": (40, 50), "zarr_format": 3},
    "shards, their index first": {
        "zarr_format": 3,
        "serializer": ShardingCodec(chunk_shape=(10, 25), index_location="start"),
        "compressors": None,
        "chunks": (40, 50),
    },
}


def stored(folder: Path, pixels: np.ndarray = PIXELS, **options: Any) -> zarr.Array[Any]:
    options = {"chunks": (20, 25), **options}
    array = zarr.create_array(folder, shape=pixels.shape, dtype=pixels.dtype, **options)
    array[:] = pixels
    return array


def chunk_files(array: zarr.Array[Any], folder: Path) -> list[Path]:
    counts = np.ceil(np.divide(array.shape, array.shards or array.chunks)).astype(int)
    keys = [array.metadata.encode_chunk_key(tuple(at)) for at in np.ndindex(*counts)]
    return [folder / key for key in keys]


@pytest.mark.parametrize("kind", ARRAYS)
def test_damage_is_told_from_whole_chunks(tmp_path: Path, kind: str) -> None:
    array = stored(tmp_path / "a", **ARRAYS[kind])
    is_whole, (chunk, *others) = look_at_chunks(array), chunk_files(array, tmp_path / "a")
    assert all(map(is_whole, [chunk, *others]))
    there = chunk.read_bytes()
    damaged = {
        "empty": b"",
        "zeros": bytes(len(there)),
        "overwritten": np.random.default_rng(1).bytes(len(there)),
        "text": b"not a chunk, and longer than any header or index\n" * 20,
    }
    if "first" not in kind:
        damaged["cut"] = there[: len(there) // 2]
    for name, value in damaged.items():
        chunk.write_bytes(value)
        assert not is_whole(chunk), name
    chunk.write_bytes(there)
    assert is_whole(chunk)


@pytest.mark.parametrize("version", [2, 3])
def test_what_is_not_compressed_is_told_by_its_length(tmp_path: Path, version: Any) -> None:
    array = stored(tmp_path / "a", compressors=None, zarr_format=version)
    is_whole, (chunk, *others) = look_at_chunks(array), chunk_files(array, tmp_path / "a")
    assert all(map(is_whole, [chunk, *others]))
    for length in (0, 999, 1001):
        chunk.write_bytes(bytes(length))
        assert not is_whole(chunk)
    # zeros may be pixels
    chunk.write_bytes(bytes(1000))
    assert is_whole(chunk)


def test_of_what_cannot_be_told_only_empty_files_are_damaged(tmp_path: Path) -> None:
    array = stored(tmp_path / "a", compressors=ZstdCodec(), zarr_format=3)
    is_whole, (chunk, *_) = look_at_chunks(array), chunk_files(array, tmp_path / "a")
    assert is_whole(chunk)
    chunk.write_bytes(bytes(1000))
    assert is_whole(chunk)
    chunk.write_bytes(b"")
    assert not is_whole(chunk)


def test_shards_that_leave_chunks_out_are_whole(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[:20] = 0
    for name, values in (("some", pixels), ("one", np.zeros_like(pixels))):
        array = stored(tmp_path / name, values, **ARRAYS["shards"])
        there = [path for path in chunk_files(array, tmp_path / name) if path.exists()]
        assert all(map(look_at_chunks(array), there))


@given(
    kind=st.sampled_from(["blosc", "gzip", "blosc of Zarr 2", "shards"]),
    seed=st.integers(0, 2**32 - 1),
    most=st.sampled_from([1, 2, 2**16 - 1]),
)
def test_whatever_zarr_writes_is_whole(
    tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int, most: int
) -> None:
    folder = tmp_path_factory.mktemp("whole") / "a"
    pixels = np.random.default_rng(seed).integers(0, most, (60, 50), np.uint16, endpoint=True)
    array = stored(folder, pixels, **ARRAYS[kind])
    there = [path for path in chunk_files(array, folder) if path.exists()]
    assert there
    assert all(map(look_at_chunks(array), there))
