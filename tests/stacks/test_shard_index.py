"""The index of a shard as zarr itself writes it, and as it may be damaged."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from napari_tessera.stacks.zarr.shard_index import ShardIndex

LARGEST = 2**64 - 1


def sharded(store: Any = None, **codec: Any) -> zarr.Array[Any]:
    """An array of one shard of 2×3 chunks, each of 4×4 pixels."""
    serializer = ShardingCodec(chunk_shape=(4, 4), **codec)
    return zarr.create_array(
        MemoryStore() if store is None else store,
        shape=(8, 12),
        chunks=(8, 12),
        dtype="u2",
        serializer=serializer,
        filters=None,
        compressors=None,
    )


def read(array: zarr.Array[Any], byte_range: ByteRequest | None = None) -> Buffer:
    """The shard as it is stored, or a part of it."""
    found = sync(array.store.get("c/0/0", default_buffer_prototype(), byte_range))
    assert found is not None
    return found


def crc32c(data: bytes) -> int:
    """Castagnoli's checksum, bit by bit."""
    crc = 2**32 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ (2**32 - 1)


def buffer(data: bytes) -> Buffer:
    return default_buffer_prototype().buffer.from_bytes(data)


@settings(max_examples=40)
@given(
    held=st.lists(st.booleans(), min_size=6, max_size=6).filter(any),
    location=st.sampled_from(["start", "end"]),
    checksum=st.booleans(),
    packed=st.booleans(),
)
def test_what_zarr_writes(held: list[bool], location: Any, checksum: bool, packed: bool) -> None:
    """Which chunks are there, where the last one ends, and how large the index is."""
    array = sharded(
        index_location=location,
        codecs=[BytesCodec(), GzipCodec()] if packed else [BytesCodec()],
        index_codecs=[BytesCodec(), Crc32cCodec()] if checksum else [BytesCodec()],
    )
    present = np.reshape(held, (2, 3))
    pixels = np.random.default_rng(0).integers(1, 4000, (8, 12)).astype("u2")
    pixels *= np.kron(present, np.ones((4, 4), "u2"))
    with zarr.config.set({"array.write_empty_chunks": False}):
        array[...] = pixels
    index = ShardIndex.of(array)
    assert index is not None
    assert index.chunks_per_shard == (2, 3)
    assert index.size == 6 * 16 + 4 * checksum
    assert index.at_start == (location == "start")
    whole = read(array)
    request: Any = SuffixByteRequest(index.size)
    if location == "start":
        request = RangeByteRequest(0, index.size)
    for part in (index.part(whole, None), index.part(read(array, request), request)):
        assert part is not None
        np.testing.assert_array_equal(index.left_out(part), ~present)
        # zarr writes chunk after chunk, with nothing between them or behind the last
        assert index.end(part) == len(whole) - (0 if location == "start" else index.size)
        if checksum:
            stored = part.to_bytes()
            assert crc32c(stored[:-4]) == int.from_bytes(stored[-4:], "little")


@given(
    st.lists(
        st.tuples(
            *[st.one_of(st.integers(0, 1000), st.integers(0, LARGEST), st.just(LARGEST))] * 2
        ),
        min_size=6,
        max_size=6,
    )
)
def test_the_end_of_any_entries(entries: list[tuple[int, int]]) -> None:
    """Numbers of a damaged index may add up to more than 64 bits hold."""
    index = ShardIndex((2, 3), 6 * 16, at_start=True)
    part = buffer(np.array(entries, "<u8").tobytes())
    held = [offset + length for offset, length in entries if {offset, length} != {LARGEST}]
    expected = max(held, default=0)
    if expected <= LARGEST:
        assert index.end(part) == expected
    else:
        assert index.end(part) > 2**63, "further than any file reaches"
    left_out = [{offset, length} == {LARGEST} for offset, length in entries]
    assert index.left_out(part).ravel().tolist() == left_out


@pytest.mark.parametrize("location", ["start", "end"])
def test_what_is_no_index(location: Any) -> None:
    array = sharded(index_location=location)
    array[...] = 1
    index, whole = ShardIndex.of(array), read(array)
    assert index is not None
    assert index.part(whole[: index.size - 1], None) is None, "less than an index"
    others: list[ByteRequest] = [
        RangeByteRequest(1, index.size + 1),
        RangeByteRequest(0, index.size - 1),
        SuffixByteRequest(index.size - 1),
        OffsetByteRequest(0),
        RangeByteRequest(0, index.size) if location == "end" else SuffixByteRequest(index.size),
    ]
    for request in others:
        assert index.part(read(array, request), request) is None


def test_arrays_whose_index_is_not_read() -> None:
    plain = zarr.create_array(MemoryStore(), shape=(8, 12), chunks=(4, 4), dtype="u2")
    assert ShardIndex.of(plain) is None
    version2 = zarr.create_array(MemoryStore(), shape=(8,), chunks=(4,), dtype="u2", zarr_format=2)
    assert ShardIndex.of(version2) is None
    assert ShardIndex.of(sharded(index_codecs=[BytesCodec(endian="big")])) is None
    assert ShardIndex.of(sharded(index_codecs=[BytesCodec(), GzipCodec()])) is None
    turned = zarr.create_array(
        MemoryStore(),
        shape=(8, 12),
        chunks=(4, 4),
        shards=(8, 12),
        dtype="u2",
        filters=[TransposeCodec(order=(1, 0))],
    )
    known = ShardIndex.of(turned)
    assert known is None or prod(known.chunks_per_shard) == 6
