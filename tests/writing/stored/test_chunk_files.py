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
from zarr.codecs import (
    BloscCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)

from napari_tessera.writing.stored.chunk_files import look_at_chunks

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
        "cut in the middle": there[: len(there) // 2],
        "one byte short": there[:-1],
    }
    for name, value in damaged.items():
        chunk.write_bytes(value)
        assert not is_whole(chunk), name
    chunk.write_bytes(there)
    assert is_whole(chunk)


@pytest.mark.parametrize("cname", ["zstd", "lz4"])
@pytest.mark.parametrize("typesize", ["u1", "u2", "f4"])
def test_pixels_that_end_with_zeros_are_whole_chunks(
    tmp_path: Path, cname: Any, typesize: str
) -> None:
    """As those of an edge do, which are filled up, and of masks."""
    noise = np.random.default_rng(6).bytes(256 * 256 * np.dtype(typesize).itemsize)
    for n_zeros in (1, 30, 300, 3000, 30_000):
        pixels = np.frombuffer(noise, typesize).copy()
        pixels[-n_zeros:] = 0
        compressor = BloscCodec(cname=cname, clevel=5, shuffle="bitshuffle")
        folder = tmp_path / str(n_zeros)
        array = stored(folder, pixels.reshape(256, 256), chunks=(256, 256), compressors=compressor)
        assert all(map(look_at_chunks(array), chunk_files(array, folder)))


@pytest.mark.parametrize("flipped", [-1, -5, -20])
def test_an_index_that_its_checksum_does_not_fit_is_damaged(tmp_path: Path, flipped: int) -> None:
    array = stored(tmp_path / "a", **ARRAYS["shards"])
    is_whole, (shard, *_) = look_at_chunks(array), chunk_files(array, tmp_path / "a")
    there = bytearray(shard.read_bytes())
    there[flipped] ^= 1
    shard.write_bytes(there)
    assert not is_whole(shard)
    with pytest.raises(ValueError, match="checksum"):
        array[:]


@pytest.mark.filterwarnings("ignore:Combining a `sharding_indexed` codec")
@pytest.mark.parametrize(
    "options",
    [
        # what is compressed here is a shard, and no chunk's pixels
        {
            "serializer": ShardingCodec(chunk_shape=(10, 25)),
            "compressors": GzipCodec(),
            "chunks": (20, 25),
        },
        {"serializer": ShardingCodec(chunk_shape=(10, 25)), "compressors": BloscCodec()},
        {"filters": [TransposeCodec(order=(1, 0))], "compressors": GzipCodec()},
        {"compressors": [GzipCodec(), Crc32cCodec()]},
        {"compressors": [BloscCodec(), Crc32cCodec()]},
        {"compressors": numcodecs.Zstd(), "zarr_format": 2},
        {"compressors": None, "filters": [numcodecs.Delta("<u2")], "zarr_format": 2},
    ],
)
def test_what_others_make_of_pixels_is_left_alone(tmp_path: Path, options: Any) -> None:
    array = stored(tmp_path / "a", **{"zarr_format": 3, **options})
    there = chunk_files(array, tmp_path / "a")
    assert all(map(look_at_chunks(array), there))
    there[0].write_bytes(b"")
    assert not look_at_chunks(array)(there[0])


def test_texts_of_any_length_are_left_alone(tmp_path: Path) -> None:
    words = np.array(["a", "word", "x" * 500], dtype=np.dtypes.StringDType())
    array = zarr.create_array(tmp_path / "a", data=words, compressors=None)
    assert all(map(look_at_chunks(array), chunk_files(array, tmp_path / "a")))


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
    kind=st.sampled_from(list(ARRAYS)),
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
