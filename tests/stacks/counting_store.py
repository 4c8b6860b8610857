"""A Zarr store that counts what is read of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore


class CountingStore(WrapperStore[Store]):
    """Another store, of which each object that is read is counted, with the part of it.

    Parameters
    ----------
    store : Store
        The store.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.reads: Counter[tuple[str, Any]] = Counter()
        """How often each part of an object was read; None for the whole."""

    def _with_store(self, store: Store) -> CountingStore:
        other = type(self)(store)
        other.reads = self.reads
        return other

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """What is stored under a key, counted."""
        self.reads[key, byte_range] += 1
        return await self._store.get(key, prototype, byte_range)

    def of_chunks(self) -> dict[tuple[str, Any], int]:
        """What was read but metadata."""
        return {
            (key, part): count
            for (key, part), count in self.reads.items()
            if not key.rpartition("/")[2].startswith((".z", "zarr"))
        }
