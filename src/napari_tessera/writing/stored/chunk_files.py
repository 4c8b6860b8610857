"""Whether the file of a chunk can be what was written: told from its first and last bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numcodecs
import zarr
from zarr.codecs import BytesCodec, GzipCodec
from zarr.core.buffer import default_buffer_prototype

from napari_tessera.stacks.zarr.shard_index import ShardIndex
from napari_tessera.stacks.zarr.whole import BLOSC_HEADER, blosc_size, ends_with_blosc
from napari_tessera.writing.chunks.checksum import crc32c

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LENGTH = 4
_GZIP_SHORTEST = 18

Looks = Callable[[BinaryIO, int], bool]
"""Whether an open file, of a length in bytes, looks whole."""


def look_at_chunks(array: zarr.Array[Any]) -> Callable[[Path], bool]:
    """Make what tells whether a chunk's (shard's) file looks whole.

    Nothing is decoded, so that a large image is looked through in moments. An empty file is told
    whatever the codecs are; one that was cut short, is all zeros, or was written by something else,
    where Blosc, gzip or shards are the last of them; of pixels that are not compressed only another
    length. Damage that begins behind a file's first bytes, and leaves its length, passes.

    Blosc keeps the compressed length in the last four of its header's 16 bytes [1]_, gzip begins
    with 1f 8b and ends with the length that was compressed [2]_, and a shard has an index of its
    chunks, with a checksum, at its end or start [3]_.

    References
    ----------
    .. [1] https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
    .. [2] RFC 1952, sections 2.3 and 2.3.1
    .. [3] https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/index.html
    """
    looks = _looks(array)

    def is_whole(path: Path) -> bool:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return size > 0 and looks(file, size)

    return is_whole


def _looks(array: zarr.Array[Any]) -> Looks:
    index = ShardIndex.of(array)
    if index is not None:
        return _has_index(index)
    if ends_with_blosc(array):
        return _is_blosc
    if _is_plain(array):
        length = prod(array.chunks) * array.dtype.itemsize
        match array.compressors:
            case ():
                return lambda _, size: size == length
            case (GzipCodec() | numcodecs.GZip(),):
                return _is_gzip(length)
    return lambda _, size: size > 0


def _is_plain(array: zarr.Array[Any]) -> bool:
    """Whether what is compressed is a chunk's pixels, one after another."""
    is_bytes = array.metadata.zarr_format == 2 or isinstance(array.serializer, BytesCodec)
    return is_bytes and array.shards is None and not array.filters


def _is_blosc(file: BinaryIO, size: int) -> bool:
    # nothing is told by its end: pixels that do not compress stand as they are, with their zeros
    return size >= BLOSC_HEADER and blosc_size(file.read(BLOSC_HEADER)) == size


def _is_gzip(length: int) -> Looks:
    last = (length % 2**32).to_bytes(_GZIP_LENGTH, "little")

    def looks(file: BinaryIO, size: int) -> bool:
        if size < _GZIP_SHORTEST or file.read(len(_GZIP_MAGIC)) != _GZIP_MAGIC:
            return False
        file.seek(size - _GZIP_LENGTH)
        return file.read() == last

    return looks


def _has_index(index: ShardIndex) -> Looks:
    def looks(file: BinaryIO, size: int) -> bool:
        if size < index.size:
            return False
        file.seek(0 if index.at_start else size - index.size)
        value = file.read(index.size)
        entries, checksum = value[: index.checksum_at], value[index.checksum_at :]
        if checksum and crc32c(entries) != int.from_bytes(checksum, "little"):
            return False
        part = default_buffer_prototype().buffer.from_bytes(value)
        return index.holds_only_chunks(part) and index.end(part) <= size

    return looks
