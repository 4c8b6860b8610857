"""Values into a store from many threads at once, on a disk without an event loop between."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore

from napari_tessera.writing.places.retrying import RetryingStore

_SET = LocalStore.set
"""As zarr has it: where something stands in its place that watches writes, that is asked."""

Parts = Callable[[], Iterable[Any]]
"""Gives the parts of a value, each with the buffer interface; called again for a second try."""


def put_parts(store: Store, key: str, parts: Parts) -> None:
    """Store a value under a key, as a whole or not at all.

    In a folder it is written beside its name, and then gets it, as zarr does it. What fails there
    is tried again through the store, which knows what may pass and what to say.

    Parameters
    ----------
    store : zarr.abc.store.Store
        The store.
    key : str
        The key.
    parts : callable
        Gives the parts of the value.

    Raises
    ------
    OSError
        Whatever the store raises.
    """
    folder = _plain_folder(store)
    if folder is not None:
        try:
            _put_file(os.path.join(folder, key), parts)
        except OSError:
            pass
        else:
            return
    buffer = default_buffer_prototype().buffer
    sync(store.set(key, buffer.from_bytes(b"".join(map(_flat, parts())))))


def _plain_folder(store: Store) -> Path | None:
    """Folder of a store that does nothing but write files; any other one is to be asked."""
    if type(store) is RetryingStore:
        store = store._store
    if type(store) is not LocalStore or store.read_only or LocalStore.set is not _SET:
        return None
    return store.root


def _put_file(path: str, parts: Parts) -> None:
    partial = f"{path}.{uuid4().hex}.partial"
    try:
        file = open(partial, "wb", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        Path(partial).parent.mkdir(parents=True, exist_ok=True)
        file = open(partial, "wb", buffering=0)  # noqa: SIM115
    try:
        with file:
            for part in parts():
                _write_all(file, _flat(part))
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _write_all(file: Any, part: memoryview) -> None:
    while part:
        # a full disk may take a part of it
        part = part[file.write(part) :]


def _flat(part: Any) -> memoryview:
    return memoryview(part).cast("B")
