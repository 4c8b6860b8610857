"""Whether the file of a chunk can be what was written: told from its first or last bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numcodecs
import zarr
from zarr.codecs import BloscCodec, GzipCodec
from zarr.core.buffer import default_buffer_prototype

from napari_tessera.stacks.zarr.shard_index import ShardIndex

_BLOSC_HEADER = 16
_BLOSC_COMPRESSED_SIZE = slice(12, 16)
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LENGTH = 4
_GZIP_SHORTEST = 18

Looks = Callable[[BinaryIO, int], bool]
"""Whether an open file, of a length in bytes, looks whole."""


def look_at_chunks(array: zarr.Array[Any]) -> Callable[[Path], bool]:
    """Make what tells whether a chunk's (shard's) file looks whole.

    Nothing is decoded, so that a large image is looked through in moments: an empty file, one that
    was cut short and one of zeros, as a loss of power leaves them, are told, and most of what was
    written there by something else. A wrong byte in the middle is not.

    Blosc keeps the compressed length in the last four of its header's 16 bytes [1]_, gzip begins
    with 1f 8b and ends with the length that was compressed [2]_, and a shard ends (or begins) with
    an index of its chunks [3]_. What is not compressed has the length of its pixels.

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
    if array.shards is not None or array.filters:
        return _is_there
    match array.compressors:
        case ():
            return _is_long(prod(array.chunks) * array.dtype.itemsize)
        case (BloscCodec() | numcodecs.Blosc(),):
            return _is_blosc
        case (GzipCodec() | numcodecs.GZip(),):
            return _is_gzip(prod(array.chunks) * array.dtype.itemsize)
    return _is_there


def _is_there(_: BinaryIO, size: int) -> bool:
    return size > 0


def _is_long(length: int) -> Looks:
    return lambda _, size: size == length


def _is_blosc(file: BinaryIO, size: int) -> bool:
    header = file.read(_BLOSC_HEADER)
    return int.from_bytes(header[_BLOSC_COMPRESSED_SIZE], "little") == size >= _BLOSC_HEADER


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
        part = default_buffer_prototype().buffer.from_bytes(file.read(index.size))
        return index.holds_only_chunks(part) and index.end(part) <= size

    return looks
