"""The bytes of a chunk or shard, as zarr would store them, without zarr's machinery for each.

For every chunk that is set, zarr's arrays run an event loop and several threads; for chunks of
128 KiB that takes ten times as long as compressing them. Here the codecs are called as they are.
Arrays with codecs that are not known here are written through zarr. The bytes are the same, but for
the time of writing that gzip keeps in its header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from gzip import GzipFile
from io import BytesIO
from itertools import product
from typing import Any

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ShardingCodec

from napari_tessera.writing.chunks.checksum import crc32c

Pack = Callable[[NDArray[Any]], Any]
"""From the pixels of a whole chunk, contiguous, to something with the buffer interface."""

_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
_ABSENT = 2**64 - 1
"""What the index of a shard says of a chunk that is not there."""


@dataclass(frozen=True)
class ChunkEncoder:
    """Packs the pixels of what is stored under one key.

    Parameters
    ----------
    chunk_shape : tuple of int
        Shape of a chunk.
    shard_shape : tuple of int or None
        Shape of a shard, where the array has some.
    dtype : numpy.dtype
        As stored.
    fill_value : scalar
        What stands in a chunk beyond the edge of the array.
    pack : callable
        The codecs of a chunk, one after another.
    """

    chunk_shape: tuple[int, ...]
    shard_shape: tuple[int, ...] | None
    dtype: np.dtype[Any]
    fill_value: Any
    pack: Pack

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> ChunkEncoder | None:
        """The encoder of an array; None where it has codecs that are not known here."""
        metadata: Any = array.metadata
        if metadata.zarr_format == 2:
            pack = _zarr2_pack(metadata)
            dtype = metadata.dtype.to_native_dtype()
        else:
            codecs: Sequence[Any] = metadata.codecs
            if len(codecs) == 1 and isinstance(codecs[0], ShardingCodec):
                if not _has_usual_index(codecs[0]):
                    return None
                codecs = codecs[0].codecs
            pack, dtype = _zarr3_pack([codec.to_dict() for codec in codecs], array.dtype)
        if pack is None:
            return None
        return cls(array.chunks, array.shards, dtype, array.fill_value, pack)

    def parts(self, pixels: NDArray[Any]) -> Iterator[Any]:
        """Bytes of a chunk, or of a shard one chunk after another and its index last.

        Parameters
        ----------
        pixels : numpy.ndarray
            Those of the chunk (shard) that lie inside the array.

        Yields
        ------
        bytes-like
            To be stored one behind the other.
        """
        if self.shard_shape is None:
            yield self.pack(self._whole(pixels))
            return
        counts = tuple(
            shard // chunk for shard, chunk in zip(self.shard_shape, self.chunk_shape, strict=True)
        )
        index = np.full((*counts, 2), _ABSENT, "<u8")
        offset = 0
        for at in morton_order(counts):
            inside = tuple(
                slice(i * length, (i + 1) * length)
                for i, length in zip(at, self.chunk_shape, strict=True)
            )
            chunk = pixels[inside]
            if not chunk.size:
                # beyond the edge of the array
                continue
            packed = self.pack(self._whole(chunk))
            size = memoryview(packed).nbytes
            index[at] = offset, size
            offset += size
            yield packed
        listed = index.tobytes()
        yield listed + crc32c(listed).to_bytes(4, "little")

    def _whole(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """A chunk in full size, contiguous and in the stored byte order."""
        if pixels.shape != self.chunk_shape:
            whole = np.full(self.chunk_shape, self.fill_value, self.dtype)
            whole[tuple(map(slice, pixels.shape))] = pixels
            return whole
        return np.ascontiguousarray(pixels, self.dtype)


def morton_order(counts: Sequence[int]) -> list[tuple[int, ...]]:
    """Indices of the chunks of a shard in the order in which zarr stores them.

    The bits of the indices interleaved, the last axis' first of each: the compressed Morton code of
    Neuroglancer's precomputed format, less what lies outside.
    """
    bits = [(count - 1).bit_length() for count in counts]

    def code(at: tuple[int, ...]) -> int:
        found, shift = 0, 0
        for bit in range(max(bits, default=0)):
            for index, own in zip(at, bits, strict=True):
                if bit < own:
                    found |= (index >> bit & 1) << shift
                    shift += 1
        return found

    return sorted(product(*map(range, counts)), key=code)


def _zarr2_pack(metadata: Any) -> Pack | None:
    if metadata.filters or metadata.order != "C":
        return None
    compressor = metadata.compressor
    if compressor is None:
        return _as_bytes
    return _gzip(compressor.level) if compressor.codec_id == "gzip" else compressor.encode


def _zarr3_pack(
    codecs: Sequence[Mapping[str, Any]], dtype: np.dtype[Any]
) -> tuple[Pack | None, np.dtype[Any]]:
    """Steps of the codecs' metadata as one function, and the data type it wants."""
    first, *others = codecs
    if first["name"] != "bytes" or len(others) > 1:
        return None, dtype
    endian = (first.get("configuration") or {}).get("endian")
    stored = dtype.newbyteorder(">" if endian == "big" else "<" if endian == "little" else "=")
    if not others:
        return _as_bytes, stored
    return _compressing(others[0]["name"], dict(others[0].get("configuration") or {})), stored


def _compressing(name: str, settings: dict[str, Any]) -> Pack | None:
    """What a codec of Zarr 3 does; None where it, or a setting of it, is not known here."""
    if name == "gzip":
        return _gzip(settings["level"])
    try:
        if name == "blosc":
            settings["shuffle"] = _SHUFFLES[settings["shuffle"]]
            codec = numcodecs.Blosc(**settings)
        elif name == "zstd":
            codec = numcodecs.Zstd(**settings)
        else:
            return None
    except (KeyError, TypeError):
        return None
    return lambda chunk: codec.encode(_as_bytes(chunk))


def _gzip(level: int) -> Pack:
    def pack(chunk: NDArray[Any]) -> bytes:
        packed = BytesIO()
        # the time of writing, which gzip would put in, would make other bytes of the same pixels
        with GzipFile("", "wb", level, packed, mtime=0) as file:
            file.write(_as_bytes(chunk).data)
        return packed.getvalue()

    return pack


def _as_bytes(chunk: NDArray[Any]) -> NDArray[np.uint8]:
    return chunk.reshape(-1).view(np.uint8)


def _has_usual_index(codec: ShardingCodec) -> bool:
    """Whether an index is little-endian, has a checksum, and lies behind the chunks."""
    described: list[dict[str, Any]] = [dict(one.to_dict()) for one in codec.index_codecs]
    if [one["name"] for one in described] != ["bytes", "crc32c"]:
        return False
    little = (described[0].get("configuration") or {}).get("endian") == "little"
    return little and codec.index_location.value == "end"
