"""Chunks and shards that cannot be decoded, or are not all there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, ZstdCodec

from napari_tessera.stacks import StackReadError, ZarrStack

from .zarr_files import Array, random_image, read_whole, store_array

CODECS: dict[str, dict[str, Any]] = {
    "2 zlib": {"zarr_format": 2, "compressors": numcodecs.Zlib()},
    "2 gzip": {"zarr_format": 2, "compressors": numcodecs.GZip()},
    "2 blosc": {"zarr_format": 2, "compressors": numcodecs.Blosc()},
    "2 zstd": {"zarr_format": 2, "compressors": numcodecs.Zstd()},
    "2 lz4": {"zarr_format": 2, "compressors": numcodecs.LZ4()},
    "2 none": {"zarr_format": 2, "compressors": None},
    "3 gzip": {"compressors": GzipCodec()},
    "3 blosc": {"compressors": BloscCodec()},
    "3 zstd": {"compressors": ZstdCodec()},
    "3 zstd crc32c": {"compressors": [ZstdCodec(), Crc32cCodec()]},
    "3 none": {"compressors": None},
}


def junk(whole: bytes) -> bytes:
    return b"\xff" * 40


def half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def one_byte_less(whole: bytes) -> bytes:
    return whole[:-1]


def nothing(whole: bytes) -> bytes:
    return b""


DAMAGE = [junk, half, one_byte_less, nothing]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_damaged_chunk_is_named_with_its_place(
    codec: dict[str, Any], damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """Blosc among them, which decodes what was cut off without a word."""
    path, array = tmp_path / "a.zarr", random_image(16, 30)
    store_array(path, array, **codec)
    key = "1.3" if "zarr_format" in codec else "c/1/3"
    file = path / key
    file.write_bytes(damage(file.read_bytes()))
    with ZarrStack(path) as stack:
        intact = stack.extract_patch(0, None, (0, 0), (16, 24))[0]
        np.testing.assert_array_equal(intact, array[:, :24])
        with pytest.raises(StackReadError) as error:
            stack.extract_patch(0, None, (2, 3), (9, 40))
        assert stack.absent_chunks == 0
    message = str(error.value)
    named = f"{path} cannot be read at Y=2…10 X=3…29: chunk {key} at Y=8…15 X=24…29: "
    assert message.startswith(named)
    assert "\n" not in message
    assert len(message) > len(named)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("compressors", [None, BloscCodec(), [ZstdCodec(), Crc32cCodec()]])
@pytest.mark.parametrize("size", [(8, 16), (3, 5)])
def test_a_damaged_shard_is_named(
    compressors: Any,
    location: str,
    damage: Callable[[bytes], bytes],
    size: tuple[int, int],
    tmp_path: Path,
) -> None:
    """Read whole or in part; never does it look as if chunks were absent."""
    path, array = tmp_path / "a.zarr", random_image(16, 32)
    shards = {"shape": (8, 16), "index_location": location}
    store_array(path, array, 4, shards=shards, compressors=compressors)
    file = path / "c" / "0" / "1"
    file.write_bytes(damage(file.read_bytes()))
    with ZarrStack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(0, None, (8, 0), (8, 32))[0], array[8:])
        failures = [failure_or_pixels(stack, at, size, array) for at in ((0, 16), (5, 27))]
        assert any(failures)
        assert all("shard c/0/1, chunk at Y=" in failure for failure in failures if failure)
        assert stack.absent_chunks == 0


def failure_or_pixels(stack: ZarrStack, at: Any, size: Any, array: Array) -> str:
    """Why a patch cannot be read; "" of one in a part that is whole, which must be right."""
    try:
        found = stack.extract_patch(0, None, at, size)[0]
    except StackReadError as error:
        return str(error)
    there = array[at[0] : 8, at[1] :][: size[0], : size[1]]
    np.testing.assert_array_equal(found[: there.shape[0], : there.shape[1]], there)
    return ""


def test_the_chunk_within_a_shard_is_named(tmp_path: Path) -> None:
    path, array = tmp_path / "a.zarr", random_image(16, 32)
    store_array(path, array, 4, shards=(8, 16), compressors=[Crc32cCodec()])
    file = path / "c" / "1" / "0"
    whole = bytearray(file.read_bytes())
    at = whole.index(array[12:16, 8:12].tobytes())
    whole[at] ^= 1
    file.write_bytes(whole)
    place = (
        r"Y=0…15 X=0…31: shard c/1/0, chunk at Y=12…15 X=8…11: ValueError: .*checksum.*; copy it"
    )
    with ZarrStack(path) as stack, pytest.raises(StackReadError, match=place):
        read_whole(stack)


def test_an_index_that_points_beyond_the_shard(tmp_path: Path) -> None:
    """Without a checksum nothing but its entries tells that it is wrong."""
    path, array = tmp_path / "a.zarr", random_image(8, 8)
    shards = ShardingCodec(chunk_shape=(4, 4), codecs=[BytesCodec()], index_codecs=[BytesCodec()])
    store_array(path, array, 8, serializer=shards, compressors=None)
    file = path / "c" / "0" / "0"
    whole = file.read_bytes()
    index = np.frombuffer(whole[-64:], "<u8").reshape(4, 2).copy()
    for wrong in ((10**6, 32), (0, 2**63), (2**63, 2**63 + 7)):
        index[3] = wrong
        file.write_bytes(whole[:-64] + index.tobytes())
        with ZarrStack(path) as stack:
            for at, size in (((0, 0), (8, 8)), ((5, 5), (2, 2))):
                with pytest.raises(StackReadError, match=r"shard c/0/0, chunk at Y=.*: "):
                    stack.extract_patch(0, None, at, size)
