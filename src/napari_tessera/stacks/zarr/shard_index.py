"""The index of a shard: which chunks it holds, and where."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec
from zarr.core.buffer import Buffer

_ABSENT = np.uint64(2**64 - 1)
_BEYOND = 2**64
_ENTRY_BYTES = 16
_CHECKSUM_BYTES = 4


@dataclass(frozen=True)
class ShardIndex:
    """Where in a shard its index is, and how many chunks it lists.

    Parameters
    ----------
    chunks_per_shard : tuple of int
        Chunks along each axis.
    size : int
        Bytes of the index, its checksum included.
    at_start : bool
        Whether it comes before the chunks, not after them.
    """

    chunks_per_shard: tuple[int, ...]
    size: int
    at_start: bool

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> ShardIndex | None:
        """The index of an array's shards; None without shards, or where it is encoded unusually."""
        codecs: Any = getattr(array.metadata, "codecs", ())
        if array.shards is None or len(codecs) != 1 or not isinstance(codecs[0], ShardingCodec):
            return None
        plain, *checksum = codecs[0].index_codecs
        little = isinstance(plain, BytesCodec) and str(getattr(plain.endian, "value", "")) != "big"
        if not little or not all(isinstance(codec, Crc32cCodec) for codec in checksum):
            return None
        per_shard = tuple(s // c for s, c in zip(array.shards, array.chunks, strict=True))
        size = _ENTRY_BYTES * prod(per_shard) + _CHECKSUM_BYTES * len(checksum)
        return cls(per_shard, size, codecs[0].index_location.value == "start")

    @property
    def checksum_at(self) -> int:
        """Where in the index the checksum begins; its size where it has none."""
        return _ENTRY_BYTES * prod(self.chunks_per_shard)

    def part(self, value: Buffer, byte_range: ByteRequest | None) -> Buffer | None:
        """The index in what was read of a shard; None where that is something else."""
        if byte_range is None and len(value) >= self.size:
            cut = slice(0, self.size) if self.at_start else slice(len(value) - self.size, None)
            return value[cut]
        return value if self.is_asked(byte_range) and len(value) == self.size else None

    def is_asked(self, byte_range: ByteRequest | None) -> bool:
        """Whether the index, and no more, is what is asked for of a shard."""
        if self.at_start:
            return byte_range == RangeByteRequest(0, self.size)
        return byte_range == SuffixByteRequest(self.size)

    def left_out(self, part: Buffer) -> NDArray[np.bool_]:
        """Which chunks the shard does not hold: offset and length both are the largest number."""
        absent: NDArray[np.bool_] = (self._entries(part) == _ABSENT).all(axis=1)
        return absent.reshape(self.chunks_per_shard)

    def holds_only_chunks(self, part: Buffer) -> bool:
        """Whether each chunk that is listed has a length, as none is empty."""
        return bool(self._entries(part)[:, 1].all())

    def end(self, part: Buffer) -> int:
        """Where the last chunk ends, in bytes from the start of the shard; 0 without chunks.

        No file reaches as far as 2⁶⁴: that is said of an entry, of a damaged index, that does.
        """
        entries = self._entries(part)
        offsets, lengths = entries[(entries != _ABSENT).any(axis=1)].T
        if not offsets.size:
            return 0
        # what goes beyond the largest number starts again from 0
        ends = offsets + lengths
        return _BEYOND if (ends < offsets).any() else int(ends.max())

    def _entries(self, part: Buffer) -> NDArray[np.uint64]:
        """Offset and length of each chunk."""
        return np.frombuffer(part.to_bytes(), "<u8", 2 * prod(self.chunks_per_shard)).reshape(-1, 2)
