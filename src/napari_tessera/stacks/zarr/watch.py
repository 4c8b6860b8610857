"""A Zarr store under watch: what it lacks is counted, what it gives must be whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.zarr.absent import AbsentChunks
from napari_tessera.stacks.zarr.files import NoFileError
from napari_tessera.stacks.zarr.kept_indices import KeptIndices
from napari_tessera.stacks.zarr.remote import ServerError
from napari_tessera.stacks.zarr.whole import ChunkError, WholeChunks, check_request


class ChunkAccessError(ChunkError):
    """A store could not say whether it has a chunk, nor give it.

    Parameters
    ----------
    key : str
        What was asked for.
    reason : str
        Why it was not given.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


class WatchedStore(WrapperStore[Store]):
    """Another store, through which the chunks of one array are read.

    Zarr takes a chunk that the store does not have for the fill value. Here it is noted, what is
    no whole chunk is an error, and so is what a store cannot give.

    Parameters
    ----------
    store : Store
        The store; it is only read from.
    absent : AbsentChunks
        Is shown the indices of shards, for what they leave out.
    whole : WholeChunks
        Checks what is there.
    indices : KeptIndices, optional
        Keeps the indices of shards; without it they are read anew each time.
    """

    def __init__(
        self,
        store: Store,
        absent: AbsentChunks,
        whole: WholeChunks,
        indices: KeptIndices | None = None,
    ) -> None:
        super().__init__(store)
        self._absent = absent
        self._whole = whole
        self._indices = indices
        self.missed: list[str] = []
        """Keys of what was asked for and is not there, until someone clears the list."""

    def _with_store(self, store: Store) -> WatchedStore:
        return type(self)(store, self._absent, self._whole, self._indices)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """What is stored under a key, or part of it; None if nothing is."""
        check_request(byte_range)
        kept = self._known(key, prototype, byte_range)
        if kept is not None:
            return kept
        try:
            value = await self._store.get(key, prototype, byte_range)
        except MemoryError:
            raise
        except (NoFileError, ServerError) as error:
            raise ChunkAccessError(key, str(error)) from error
        except Exception as error:
            raise ChunkAccessError(key, error_line(error)) from error
        return self._seen(key, byte_range, value)

    def _get_at_once(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """What is stored under a key, from a store that answers without zarr's own thread."""
        directly: Any = getattr(self._store, "get_sync", None)
        if directly is None:
            raise TypeError(f"{type(self._store).__name__} cannot be read without an event loop")
        check_request(byte_range)
        kept = None if prototype is None else self._known(key, prototype, byte_range)
        if kept is not None:
            return kept
        try:
            value: Buffer | None = directly(key, prototype=prototype, byte_range=byte_range)
        except MemoryError:
            raise
        except (NoFileError, ServerError) as error:
            raise ChunkAccessError(key, str(error)) from error
        except Exception as error:
            raise ChunkAccessError(key, error_line(error)) from error
        return self._seen(key, byte_range, value)

    # Zarr takes a store that has it for one that can answer so, which depends on the store within:
    # only where wrappers have it all the same, they must not pass this one by.
    if hasattr(WrapperStore, "get_sync"):
        get_sync = _get_at_once

    def _known(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None
    ) -> Buffer | None:
        """The index of a shard, where that is asked for and kept."""
        return None if self._indices is None else self._indices.get(key, prototype, byte_range)

    def _seen(
        self, key: str, byte_range: ByteRequest | None, value: Buffer | None
    ) -> Buffer | None:
        if value is None:
            self.missed.append(key)
        else:
            self._whole.check(byte_range, value)
            self._absent.look_into(key, byte_range, value)
            if self._indices is not None:
                self._indices.note(key, byte_range, value)
        return value

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of what is stored under several keys."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        for key, prototype, byte_range in requests:
            yield key, await self.get(key, prototype, byte_range)
