"""Single keys of a store, from code that is not asynchronous."""

from __future__ import annotations

from asyncio import gather
from collections.abc import AsyncIterator, Iterable, Sequence

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from napari_tessera.stacks.zarr.nodes import ZARR_FILES

OWN = "tessera_"
"""How the names begin of all that this program puts into a store beside the pixels."""

DELETING = f"{OWN}deleting"
"""Key of a store whose deletion has begun: all of it may go."""


def read_key(store: Store, key: str) -> bytes | None:
    """Value of a key; None where it has none, or the place is not there."""
    return sync(_read(store, key))


def read_keys(store: Store, keys: Iterable[str]) -> dict[str, bytes | None]:
    """Values of keys, as `read_key`, asked for together: one wait for an answer."""
    return sync(_read_together(store, tuple(keys)))


async def _read_together(store: Store, keys: Sequence[str]) -> dict[str, bytes | None]:
    values = await gather(*(_read(store, key) for key in keys))
    return dict(zip(keys, values, strict=True))


async def _read(store: Store, key: str) -> bytes | None:
    try:
        value = await store.get(key, default_buffer_prototype())
    except FileNotFoundError:
        return None
    return None if value is None else value.to_bytes()


def write_key(store: Store, key: str, value: bytes) -> None:
    """Store a value under a key."""
    sync(store.set(key, default_buffer_prototype().buffer.from_bytes(value)))


def delete_key(store: Store, key: str) -> None:
    """Remove a key; one that has no value is no error."""
    sync(store.delete(key))


def delete_dir(store: Store, name: str) -> None:
    """Remove a key, or all keys below it."""
    # a folder is refused a key's deletion by one store, a key a folder's by another
    sync(store.delete(name) if sync(store.is_empty(name)) else store.delete_dir(name))


def names_in(store: Store, folder: str = "") -> list[str]:
    """Names right below the root of a store, or a folder in it; none where that is not there."""
    try:
        # some list the place itself too, as a name of no letters
        return [name for name in sync(_all(store.list_dir(folder))) if name.strip("/")]
    except FileNotFoundError:
        return []


def keys_in(store: Store) -> list[str]:
    """All keys of a store; none where the place is not there."""
    try:
        return sync(_all(store.list()))
    except FileNotFoundError:
        return []


def holds_zarr(store: Store) -> bool:
    """Whether the root of a store is a Zarr array or group."""
    return any(sync(store.exists(name)) for name in sorted(ZARR_FILES))


async def _all(names: AsyncIterator[str]) -> list[str]:
    return [name async for name in names]
