"""Whatever way zarr reads from a store, it is watched."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import zarr
from zarr.abc.store import ByteRequest, RangeByteRequest, Store
from zarr.core.buffer import BufferPrototype, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, MemoryStore, WrapperStore, ZipStore

from napari_tessera.stacks.zarr.absent import AbsentChunks
from napari_tessera.stacks.zarr.watch import ChunkAccessError, WatchedStore
from napari_tessera.stacks.zarr.whole import ChunkError, WholeChunks

from .zarr_files import random_image, store_array

PROTOTYPE = default_buffer_prototype()

GIVES_NO_CHUNK = {
    "getsize",
    "getsize_prefix",
    # what documents are read with, by way of `get` or of `get_sync`
    "_get_bytes",
    "_get_bytes_sync",
    "_get_json",
    "_get_json_sync",
}


def test_no_way_to_read_passes_it_by() -> None:
    """A release of Zarr-Python may add one: then this names it."""
    ways = {
        name
        for kind in (Store, WrapperStore, LocalStore, MemoryStore, ZipStore, FsspecStore)
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("__") and ("get" in name or "read" in name.replace("read_only", ""))
    }
    watched = set(vars(WatchedStore))
    passed_on = ways - watched - GIVES_NO_CHUNK
    assert {name for name in passed_on if hasattr(WatchedStore, name)} == set()
    assert {"get", "get_partial_values", "_get_many"} <= watched


def watched(store: Store) -> WatchedStore:
    """A watched store with an array of 2×2 chunks, of which the last is not there."""
    store_array(store, random_image(8, 8), 4, compressors=None)
    sync(store.delete("c/1/1"))
    array = zarr.open_array(store, mode="r+")
    return WatchedStore(store, AbsentChunks(array), WholeChunks(array))


def get(store: WatchedStore, key: str, byte_range: ByteRequest | None) -> Any:
    return sync(store.get(key, PROTOTYPE, byte_range))


def get_partial(store: WatchedStore, key: str, byte_range: ByteRequest | None) -> Any:
    return sync(store.get_partial_values(PROTOTYPE, [(key, byte_range)]))[0]


def get_many(store: WatchedStore, key: str, byte_range: ByteRequest | None) -> Any:
    async def collect() -> Any:
        return [value async for _, value in store._get_many([(key, PROTOTYPE, byte_range)])]

    return sync(collect())[0]


def get_at_once(store: WatchedStore, key: str, byte_range: ByteRequest | None) -> Any:
    return store._get_at_once(key, prototype=PROTOTYPE, byte_range=byte_range)


class Answering(MemoryStore):
    """A store in memory that answers at once, as those of some releases do, and may fail."""

    broken = False

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Any:
        if self.broken:
            raise ValueError("broken")
        return await super().get(key, prototype, byte_range)

    def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:
        return sync(self.get(key, prototype, byte_range))


@pytest.mark.parametrize("way", [get, get_partial, get_many, get_at_once])
def test_what_is_read_is_watched(way: Any) -> None:
    inner = Answering()
    store = watched(inner)
    assert len(way(store, "c/0/1", None)) == 32
    assert store.missed == []
    assert way(store, "c/1/1", None) is None
    assert store.missed == ["c/1/1"]
    for damaged in (RangeByteRequest(30, 40), RangeByteRequest(7, 2**64)):
        with pytest.raises(ChunkError):
            way(store, "c/0/1", damaged)
    inner.broken = True
    with pytest.raises(ChunkAccessError, match="ValueError: broken") as error:
        way(store, "c/0/1", None)
    assert error.value.key == "c/0/1"
    assert store.missed == ["c/1/1"]


def test_a_store_that_cannot_answer_at_once() -> None:
    store = watched(WrapperStore(MemoryStore()))
    if hasattr(WrapperStore, "get_sync"):
        pytest.skip("wrappers of this release have it")
    assert not hasattr(store, "get_sync"), "zarr would take it for one that can"
    with pytest.raises(TypeError, match="WrapperStore cannot be read without"):
        store._get_at_once("c/0/0")


def test_a_copy_for_reading_is_watched_too() -> None:
    store = watched(MemoryStore()).with_read_only(True)
    assert isinstance(store, WatchedStore)
    assert sync(store.get("c/1/1", PROTOTYPE)) is None
    assert store.missed == ["c/1/1"]
