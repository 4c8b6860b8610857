"""Stores at URLs, opened in one way for reading and for writing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zarr.abc.store import Store
from zarr.core.sync import sync
from zarr.storage import FsspecStore, MemoryStore

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.zarr.nodes import innermost_store, store_path
from napari_tessera.stacks.zarr.retrying import (
    CREDENTIALS,
    PatientStore,
    PlaceError,
    lacks_credentials,
)

CONNECTIONS = 64
"""Requests that may be on their way to an object store at once; botocore's own number is 10."""

_S3 = ("s3", "s3a")


class ServerError(StackReadError, PlaceError):
    """A server did not give what was asked for; says why, and not of which place."""


class ReadingStore(PatientStore):
    """A store that is read over a network, and asked again as `PatientStore` does.

    Raises
    ------
    ServerError
        From each operation: where it failed for good, or once more than there are delays.
    """

    def beside(self, store: Store) -> ReadingStore:
        """Another store of the same server, asked as this one is."""
        return self._with_store(store)

    def _told(self, error: Exception, tries: int) -> ServerError:
        what = error_line(error)
        if lacks_credentials(error):
            return ServerError(f"nobody says who asks ({what}): {CREDENTIALS}")
        if isinstance(error, PermissionError):
            return ServerError(
                f"access is refused ({what}): the credentials in use must allow to read and to "
                "list (s3:GetObject, s3:ListBucket)"
            )
        asked = what if tries == 1 else f"asked {tries} times, at last {what}"
        return ServerError(f"{asked}; look at the address and the network, and try again")


def is_remote(store: Store) -> bool:
    """Whether a store is neither here in memory nor in a local folder or file."""
    inner = innermost_store(store)
    return not isinstance(inner, MemoryStore) and store_path(inner) is None


def patient(store: Store) -> Store:
    """A store that is asked again where that helps: one over a network; any other as it is."""
    if isinstance(store, PatientStore) or not is_remote(store):
        return store
    return ReadingStore(store)


def fsspec_store(url: str, *, read_only: bool, **options: Any) -> FsspecStore:
    """Open the store at a URL; what fsspec raises comes out as it is.

    Parameters
    ----------
    url : str
        A URL that fsspec knows, or a chain of them.
    read_only : bool
        Whether it is only read from.
    **options
        What the file system of fsspec takes, beside what is chosen here for object stores.
    """
    is_s3 = url.lower().startswith(tuple(f"{name}://" for name in _S3))
    store = FsspecStore.from_url(
        url,
        read_only=read_only,
        storage_options=_for_s3() | options if is_s3 else options,
    )
    if is_s3:
        # botocore tries again, and then PatientStore: a third one between would multiply the two
        store.fs.retries = 1
    return store


def _for_s3() -> dict[str, Any]:
    # not everybody has it
    from fsspec.config import conf

    said: dict[str, Any] = {}
    for name in reversed(_S3):
        found = conf.get(name, {}).get("config_kwargs", {})
        said |= found if isinstance(found, Mapping) else {}
    return {
        # else each object's size is asked for before the object
        "max_concurrency": 1,
        # what other processes write is seen at once
        "use_listings_cache": False,
        "config_kwargs": {"max_pool_connections": CONNECTIONS} | said,
    }


def missing_bucket(store: Store) -> str | None:
    """Name of the bucket that a store of S3's lies in, where there is none; else None."""
    inner = innermost_store(store)
    if not isinstance(inner, FsspecStore) or not set(_S3) & set(_protocols(inner)):
        return None
    bucket = re.split("/", inner.path.strip("/"), maxsplit=1)[0]
    return None if sync(inner.fs._exists(bucket)) else bucket


def _protocols(store: FsspecStore) -> tuple[str, ...]:
    protocol = store.fs.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
