"""Where a result goes: what was given, which kind it is, and how its store is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from zarr.abc.store import Store
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, StorePath, ZipStore

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.opening.location import local_path
from napari_tessera.stacks.zarr.http import is_http
from napari_tessera.stacks.zarr.nodes import innermost_store, store_path
from napari_tessera.stacks.zarr.remote import fsspec_store
from napari_tessera.writing.places.endings import (
    ENDINGS,
    Kind,
    ending_of,
    last_part,
    unknown_ending,
)
from napari_tessera.writing.places.retrying import as_retrying


@dataclass(frozen=True, eq=False)
class Target:
    """A place that a result is written to; see `parse_target`.

    Parameters
    ----------
    given : str, path-like or zarr.abc.store.Store
        What was asked for.
    name : str
        What messages call it: a path, a URL without its password, or what a store says of itself.
    kind : {"zarr", "zip", "ome-tiff", "tiff", "npy"}
        What is written there.
    path : pathlib.Path or None
        The local folder or file; None for what lies elsewhere.
    store : zarr.abc.store.Store or None
        The store, where one was given.
    """

    given: Any
    name: str
    kind: Kind
    path: Path | None = None
    store: Store | None = None

    @property
    def is_zarr(self) -> bool:
        """Whether a Zarr image is written, in a ZIP file or not."""
        return self.kind in ("zarr", "zip")

    @property
    def folder(self) -> Path | None:
        """Local folder that Zarr's files are written to: of a ZIP file a hidden one beside it."""
        if self.path is None or not self.is_zarr:
            return None
        return self.path.with_name(f".{self.path.name}.unpacked") if self.zipped else self.path

    @property
    def zipped(self) -> bool:
        """Whether the folder is packed into a file at the end."""
        return self.kind == "zip"

    @property
    def stem(self) -> str:
        """Name without folder and ending, for the image's own name."""
        if self.path is None and self.store is not None:
            return "image"
        last = last_part(self.name if self.path is None else self.path)
        return last[: len(last) - len(ending_of(last))]

    def open_store(self, *, read_only: bool = False) -> Store:
        """Open the Zarr store that is there, or will be. Nothing is made before the first write.

        What fails in passing is tried again (see `RetryingStore`).

        Parameters
        ----------
        read_only : bool, default False
            Refuse to write. Of a ZIP file: open the finished file, not the folder that one is
            built in.

        Raises
        ------
        ValueError
            If the place is none for Zarr, or fsspec does not know its kind or lacks a package.
        StoreError
            If the place does not answer.
        """
        if not self.is_zarr:
            raise ValueError(f"{self.name} is no Zarr store: use .ome.zarr")
        if isinstance(self.store, FsspecStore) and self.path is not None:
            # fsspec makes no folders on a disk
            store: Store = LocalStore(self.path.absolute(), read_only=read_only)
        elif self.store is not None:
            store = self.store
            if read_only and not store.read_only:
                try:
                    store = store.with_read_only(True)
                except NotImplementedError:
                    # not every store has a read-only copy
                    store = self.store
        elif self.path is None:
            store = _url_store(str(self.given), self.name, read_only)
        elif self.zipped and read_only:
            # looked into before zarr opens it, which it does not do by itself
            store = sync(ZipStore.open(self.path, mode="r", read_only=True))
        else:
            assert self.folder is not None
            store = LocalStore(self.folder.absolute(), read_only=read_only)
        return as_retrying(store, self.name)

    def __str__(self) -> str:
        return self.name


def parse_target(where: str | PathLike[str] | Store | Target, kind: Kind | None = None) -> Target:
    """Tell what a place is. Nothing is looked up there.

    Parameters
    ----------
    where : str, path-like, zarr.abc.store.Store or Target
        A local path, a ``file://`` or other URL that fsspec knows (Zarr only), a store of zarr
        that can be written to, or what this function gave.
    kind : {"zarr", "zip", "ome-tiff", "tiff", "npy"}, optional
        What is written there; default: what the ending says.

    Raises
    ------
    ValueError
        If the ending is unknown and no kind given, only Zarr can be written there, or the store
        cannot be written to.
    TypeError
        If it is none of these.
    """
    if isinstance(where, Target):
        return where
    if isinstance(where, StorePath):
        where = _store_of(where)
    if isinstance(where, Store):
        return _of_store(where, kind)
    if not isinstance(where, str | os.PathLike):
        raise TypeError(
            f"output {where!r}: a path, a URL or a store of zarr is needed, not "
            f"{type(where).__name__}"
        )
    text = os.fspath(where)
    path = Path(text) if not isinstance(where, str) else local_path(text)
    name = _without_password(text) if path is None else str(path)
    if kind is None:
        ending = ending_of(where)
        if not ending:
            raise unknown_ending(where)
        kind = ENDINGS[ending]
    if path is None and kind != "zarr":
        raise ValueError(f"{name}: only Zarr is written to a URL; use .ome.zarr, or a local file")
    # wherever the process works when the result is written
    return Target(where, name, kind, None if path is None else path.absolute())


def zarr_target(where: str | PathLike[str] | Store | Target) -> Target:
    """Tell what a place for a Zarr image is, whatever its ending; else as `parse_target`."""
    if isinstance(where, str | os.PathLike):
        return parse_target(where, "zip" if ENDINGS.get(ending_of(where)) == "zip" else "zarr")
    return parse_target(where)


def open_store(where: str | PathLike[str] | Store | Target, *, read_only: bool = False) -> Store:
    """Open the Zarr store of a place; see `Target.open_store`."""
    return zarr_target(where).open_store(read_only=read_only)


def _store_of(place: StorePath) -> Store:
    """The store that a place in a store is."""
    inner = innermost_store(place.store)
    if not place.path:
        return place.store
    if isinstance(inner, LocalStore):
        return LocalStore(inner.root / place.path, read_only=place.store.read_only)
    if isinstance(inner, FsspecStore):
        path = f"{inner.path.rstrip('/')}/{place.path}"
        return FsspecStore(inner.fs, read_only=place.store.read_only, path=path)
    raise ValueError(f"{place} is a place within a store: give a store of its own, or a path")


def _of_store(store: Store, kind: Kind | None) -> Target:
    if kind not in (None, "zarr"):
        raise ValueError(f"{store}: a store of zarr holds Zarr, not {kind}; give a path")
    inner = innermost_store(store)
    if isinstance(inner, ZipStore):
        raise ValueError(
            f"{inner.path} is given as a ZipStore, which a kill would break: give its path "
            "(NAME.zarr.zip), then it is packed at the end"
        )
    if store.read_only or not store.supports_writes:
        raise ValueError(f"{store_name(store)} is read-only: open it for writing")
    return Target(store, store_name(store), "zarr", store_path(store), store)


def store_name(store: Store) -> str:
    """What a store is called: its folder, its URL, or what it says of itself."""
    inner, path = innermost_store(store), store_path(store)
    if path is not None:
        return str(path)
    if isinstance(inner, FsspecStore):
        files = getattr(inner.fs, "sync_fs", inner.fs)
        return _without_password(files.unstrip_protocol(inner.path))
    return str(inner)


def _url_store(url: str, name: str, read_only: bool) -> Store:
    if is_http(url) and not read_only:
        # fsspec would put files there, which no web server takes but by accident
        raise ValueError(
            f"{name} can only be read: save to a local path, or to an object store (s3://…)"
        )
    try:
        store = fsspec_store(url, read_only=read_only)
    except ImportError as error:
        raise ValueError(
            f'{name} needs what is not installed: pip install "napari-tessera[remote]", or what '
            f"fsspec names ({error_line(error)})"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{name} is no URL that fsspec understands: {error_line(error)}"
        ) from error
    # what another process wrote meanwhile would not be seen
    store.fs.invalidate_cache()
    return store


def _without_password(url: str) -> str:
    """A URL that can be shown: without the user's name and password before the server's."""
    head, mark, tail = url.rpartition("::")
    try:
        parts = urlsplit(tail)
    except ValueError:
        return url
    if "@" not in parts.netloc:
        return url
    return head + mark + urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
