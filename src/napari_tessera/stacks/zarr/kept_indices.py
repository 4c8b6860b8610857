"""Indices of shards, kept while an image is read, as each chunk of a shard needs its index."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from napari_tessera.stacks.zarr.shard_index import ShardIndex

KEPT_BYTES = 4 * 2**20


class KeptIndices:
    """The indices used last, as they are stored. Safe to use from several threads.

    Zarr reads the index of a shard anew for every part of it, which over a network takes as long
    as the part itself.

    Parameters
    ----------
    index : ShardIndex
        What an index is like.
    limit : int
        Bytes that the indices may take.
    """

    def __init__(self, index: ShardIndex, limit: int = KEPT_BYTES) -> None:
        self._index = index
        self._most = limit // max(index.size, 1)
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None
    ) -> Buffer | None:
        """The index of a shard, where that is what is asked for, and it is known."""
        if byte_range is None:
            return None
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or not self._index.is_asked(byte_range):
                return None
            self._kept.move_to_end(key)
        return prototype.buffer.from_bytes(kept)

    def note(self, key: str, byte_range: ByteRequest | None, value: Buffer) -> None:
        """Keep what was read of a shard, where that is its index."""
        if byte_range is None or not self._index.is_asked(byte_range):
            return
        with self._lock:
            self._kept[key] = value.to_bytes()
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
