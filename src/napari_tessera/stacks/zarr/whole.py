"""Whether what a store gave is a whole chunk, where the decoder would not notice."""

from __future__ import annotations

from typing import Any

import zarr
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer

from napari_tessera.stacks.zarr.shard_index import ShardIndex

BLOSC_HEADER = 16
"""Bytes before what Blosc compressed."""

_LARGEST_FILE = 2**63 - 1


class ChunkError(OSError):
    """What a store gave for a chunk cannot be a chunk."""


class WholeChunks:
    """Checks the bytes of one array's chunks before they are decoded.

    Zarr takes a shard of no bytes, and a chunk that lies beyond a shard's end, for absent; Blosc
    decodes a chunk that was cut off into what happens to be in memory behind it. Both come of
    copies that were broken off and of full disks.

    Parameters
    ----------
    array : zarr.Array
        The array.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._index = ShardIndex.of(array)
        self._blosc = ends_with_blosc(array)

    def check(self, byte_range: ByteRequest | None, value: Buffer) -> None:
        """Check what was asked for against what came.

        Raises
        ------
        ChunkError
            If bytes are missing, or there are more than asked for.
        """
        size = len(value)
        if isinstance(byte_range, RangeByteRequest):
            _check_size(byte_range.end - byte_range.start, size)
        elif isinstance(byte_range, SuffixByteRequest):
            _check_size(byte_range.suffix, size)
        elif size == 0:
            raise ChunkError("it is empty (0 bytes)")
        elif self._index is not None:
            part = self._index.part(value, None)
            if part is not None and self._index.end(part) > size:
                raise ChunkError(f"it is cut off after {size} bytes, or its index is damaged")
        elif self._blosc:
            said = blosc_size(value[:BLOSC_HEADER].to_bytes())
            # more than that is decoded all the same
            if size < BLOSC_HEADER or said > size:
                raise ChunkError(f"it is cut off: it has {size} of {said} bytes")


def check_request(byte_range: ByteRequest | None) -> None:
    """Check that a file can have such bytes, before they are asked for.

    Raises
    ------
    ChunkError
        If not: where a chunk lies is taken from the index of its shard.
    """
    if isinstance(byte_range, RangeByteRequest) and not (
        0 <= byte_range.start <= byte_range.end <= _LARGEST_FILE
    ):
        raise ChunkError("the index of the shard is damaged")


def _check_size(wanted: int, size: int) -> None:
    if size < wanted:
        raise ChunkError(f"it is cut off: {wanted} bytes of it were asked for, {size} are there")
    if size > wanted:
        raise ChunkError(
            f"{wanted} bytes of it were asked for, {size} came: the server must know byte ranges"
        )


def blosc_size(header: bytes) -> int:
    """Bytes of a whole chunk, as the last number of its header tells, little-endian."""
    return int.from_bytes(header[BLOSC_HEADER - 4 :], "little")


def ends_with_blosc(array: zarr.Array[Any]) -> bool:
    """Whether Blosc wrote the chunks as they are stored, by the last codec of all."""
    described = array.metadata.to_dict()
    codecs: Any = described.get("codecs") or [described.get("compressor")]
    last = codecs[-1] if isinstance(codecs, list | tuple) else None
    name = last.get("name", last.get("id")) if isinstance(last, dict) else None
    return str(name).removeprefix("numcodecs.") == "blosc"
