"""Pixels of a Zarr array: absent chunks are counted, and damaged ones named."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import islice, product
from math import ceil, prod
from threading import local
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.core.sync import sync
from zarr.storage import LocalStore, StorePath

from napari_tessera.stacks.array import Index
from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.patch_index import spans_of
from napari_tessera.stacks.zarr.absent import AbsentChunks
from napari_tessera.stacks.zarr.files import with_checked_files
from napari_tessera.stacks.zarr.kept_indices import KeptIndices
from napari_tessera.stacks.zarr.nodes import innermost_store, node_name
from napari_tessera.stacks.zarr.presence import ArrayGoneError, ArrayPresence
from napari_tessera.stacks.zarr.remote import ServerError, is_remote, patient
from napari_tessera.stacks.zarr.shard_index import ShardIndex
from napari_tessera.stacks.zarr.watch import ChunkAccessError, WatchedStore
from napari_tessera.stacks.zarr.whole import ChunkError, WholeChunks

_MOST_CHUNKS_TRIED = 4096
_MOST_CHUNKS_LOOKED_FOR = 20_000
_LOOKED_FOR_AT_ONCE = 1000


class ZarrPixels:
    """A Zarr array that is read through a `WatchedStore`; the array itself is left as it is.

    A chunk that is absent reads as the fill value, as long as the array itself is there: of an
    array that was removed while it was open every chunk is absent. So that is asked whenever a
    chunk is missed for the first time, and of chunks that are known to be absent once a second.

    Parameters
    ----------
    array : zarr.Array
        The array.
    """

    decodes_chunks = True
    """Of a chunk any pixel is had by decoding all of them."""

    def __init__(self, array: zarr.Array[Any]) -> None:
        self.original = array
        """The array as it was given."""
        chunks, shards = _read_at_once(array)
        self.chunks = chunks
        """Shape of the chunks; of those within the shards where there are some."""
        self.shards = shards
        """Shape of the shards; None without."""
        self._absent = AbsentChunks(array)
        self._whole = WholeChunks(array)
        self._store = patient(with_checked_files(array.store))
        self._presence = ArrayPresence(array, patient(array.store))
        # the array itself changes where its owner resizes it
        self._metadata = array.metadata
        self._of_thread = local()
        self._indices: KeptIndices | None = None
        self.shape = array.shape
        """Size of each axis."""
        self.dtype = array.dtype
        """Type of the pixels."""

    @property
    def absent_chunks(self) -> int:
        """Chunks met so far that are not in the store (see `AbsentChunks`)."""
        return self._absent.count

    @property
    def fill_value(self) -> Any:
        """What an absent chunk reads as; 0 where the array names nothing."""
        value = self.original.fill_value
        return np.zeros((), self.dtype)[()] if value is None else value

    def for_one_pass(self) -> Self:
        """The same pixels, for as long as an image is read once: indices of shards are kept."""
        index = ShardIndex.of(self.original)
        if index is None:
            return self
        other = copy(self)
        other._of_thread = local()
        other._indices = KeptIndices(index)
        return other

    def __getitem__(self, index: Index) -> NDArray[Any]:
        """Part of the array, in memory.

        Raises
        ------
        ArrayGoneError
            If chunks are absent because the array was removed or replaced.
        Exception
            Whatever the store or a codec raises.
        """
        array, store = self._watched()
        store.missed.clear()
        try:
            block: Any = array[index]
        except (ArrayGoneError, ChunkAccessError, MemoryError):
            raise
        except Exception:
            if not self.waits:
                raise
            # a whole chunk that came too short, or spoilt, is only known by its decoder
            store.missed.clear()
            block = array[index]
        if store.missed:
            self._confirm(store.missed)
        return np.asarray(block)

    def _watched(self) -> tuple[zarr.Array[Any], WatchedStore]:
        """The array as this thread reads it, and what notes the chunks that this thread misses."""
        watched: tuple[zarr.Array[Any], WatchedStore] | None
        watched = getattr(self._of_thread, "watched", None)
        if watched is None:
            given = self.original
            store = WatchedStore(self._store, self._absent, self._whole, self._indices)
            path = StorePath(store, given.path)
            # not every release of Zarr-Python shows it; the default is as good
            config = getattr(given, "config", None)
            array: zarr.Array[Any] = zarr.Array(
                zarr.AsyncArray(metadata=self._metadata, store_path=path, config=config)
            )
            watched = self._of_thread.watched = (array, store)
        return watched

    def _confirm(self, missed: Sequence[str]) -> None:
        """Count chunks that are not there as absent, if the array itself is there."""
        new = next((key for key in missed if not self._absent.knows(key)), None)
        if new is not None or not self._presence.is_fresh():
            self._presence.check(self._absent.inner(new or missed[0]))
        for key in missed:
            self._absent.add(key)

    @property
    def waits(self) -> bool:
        """Whether the store is neither here in memory nor in a local folder or file."""
        return is_remote(self.original.store)

    def count_absent(self) -> tuple[int, int] | None:
        """How many objects are not in the store, and how many there could be.

        Returns
        -------
        tuple of int or None
            Chunks, or shards where there are some. None where it would take long to find out:
            over the network, or with more than 20,000 objects.
        """
        store = innermost_store(self.original.store)
        outer = self.shards or self.chunks
        grid = [ceil(length / size) for length, size in zip(self.shape, outer, strict=True)]
        total = prod(grid)
        if total > _MOST_CHUNKS_LOOKED_FOR:
            return None
        # fsspec reads local files too, as where dask opened the array
        if self.waits:
            return None
        keys = [self._key(position) for position in product(*map(range, grid))]
        if store is self.original.store and isinstance(store, LocalStore):
            # without zarr's thread for each of them
            return total - sum(os.path.lexists(store.root / key) for key in keys), total
        return total - sync(_count_existing(self.original.store, keys)), total

    def reason(self, index: Index, error: Exception, place: Callable[[Index], str]) -> str:
        """Say why a read failed, with the chunk that is to blame and where that is.

        Parameters
        ----------
        index : tuple of int or slice
            What was read.
        error : Exception
            How it failed.
        place : callable
            Names a part of the image by its axes.
        """
        if isinstance(error, ArrayGoneError | ServerError):
            return str(error)
        if isinstance(error, ChunkAccessError):
            return f"{self._blame(error.key, place)}: {error}"
        try:
            self._presence.check()
        except ArrayGoneError as gone:
            return str(gone)
        except Exception:
            # the search comes upon the same failure, and names a chunk
            pass
        array, _ = self._watched()
        for chunk in islice(self._chunks_of(index), _MOST_CHUNKS_TRIED):
            try:
                array[chunk]
            except Exception as broken:
                where = f"{self._name(chunk)} at {place(chunk)}"
                if isinstance(broken, ChunkAccessError | MemoryError | ServerError):
                    return f"{where}: {_text(broken)}"
                return f"{where}: {_text(broken)}; copy it again"
        return _text(error)

    def _blame(self, key: str, place: Callable[[Index], str]) -> str:
        """Name the object under a key, with its place where the key tells it."""
        kind = "shard" if self.shards else "chunk"
        position = self._absent.position(key)
        where = "" if position is None else f" at {place(self._absent.region(position))}"
        return f"{kind} {self._absent.inner(key)}{where}"

    def _name(self, chunk: Sequence[slice]) -> str:
        """Name a chunk by the object that holds it: itself, or its shard."""
        outer = self.shards or self.chunks
        held = [part.start // size for part, size in zip(chunk, outer, strict=True)]
        key = self._metadata.encode_chunk_key(tuple(held))
        return f"shard {key}, chunk" if self.shards else f"chunk {key}"

    def _key(self, position: tuple[int, ...]) -> str:
        key = self._metadata.encode_chunk_key(position)
        return "/".join(filter(None, (self.original.path, key)))

    def _chunks_of(self, index: Index) -> Iterator[tuple[slice, ...]]:
        """The chunks that an index touches, each as the part of the image that it holds."""
        spans = spans_of(index)
        return product(
            *(
                [
                    slice(at * size, min((at + 1) * size, length))
                    for at in range(start // size, ceil(stop / size))
                ]
                for (start, stop), size, length in zip(spans, self.chunks, self.shape, strict=True)
            )
        )


def _read_at_once(array: zarr.Array[Any]) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Shape of an array's chunks, and of its shards where chunks can be read one by one.

    Raises
    ------
    ValueError
        If a chunk is empty.
    """
    chunks: tuple[int, ...] = array.chunks
    shards: tuple[int, ...] | None = array.shards
    if min(chunks, default=1) < 1:
        raise ValueError(f"{node_name(array)}: chunks of {chunks} hold no pixel")
    # beside other codecs a shard is decoded as one, and its chunks may lie along other axes
    if shards is not None and len(getattr(array.metadata, "codecs", ())) > 1:
        return shards, None
    return chunks, shards


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, ChunkError | ServerError) else error_line(error)


async def _count_existing(store: Store, keys: Sequence[str]) -> int:
    count = 0
    for first in range(0, len(keys), _LOOKED_FOR_AT_ONCE):
        some = keys[first : first + _LOOKED_FOR_AT_ONCE]
        count += sum(await asyncio.gather(*map(store.exists, some)))
    return count
