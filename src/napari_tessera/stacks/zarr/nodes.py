"""Zarr arrays and groups: where they are, what is around them and what lies below them."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import zarr
from zarr.abc.store import Store
from zarr.errors import NodeNotFoundError
from zarr.storage import FsspecStore, LocalStore, StorePath, WrapperStore, ZipStore

Node = zarr.Array[Any] | zarr.Group

ZARR_FILES = frozenset({"zarr.json", ".zarray", ".zgroup"})
"""Names of the files that make what they lie in an array or group."""

_NOT_THERE = (NodeNotFoundError, FileNotFoundError, KeyError)


def is_zarr_folder(path: Path) -> bool:
    """Whether a folder is a Zarr array or group; so too where what says it cannot be read."""
    return any((path / name).is_file() or _is_no_file(path / name) for name in ZARR_FILES)


def _is_no_file(path: Path) -> bool:
    """Whether a pipe, device, or link to data that were not fetched is there."""
    return os.path.lexists(path) and not path.is_dir()


class _OfZarr:
    """Matches the modules of zarr and numcodecs, and is like no other filter's pattern."""

    def match(self, module: str) -> bool:
        return module.startswith(("zarr.", "numcodecs."))


@contextmanager
def quiet_zarr() -> Iterator[None]:
    """Leave out zarr's warnings on how others wrote their metadata, which a reader cannot mend.

    Zarr warns from a thread of its own, so the filters are those of the whole program.
    `warnings.catch_warnings` would bring back what they were at the beginning, and with it the
    filters of another thread that is through by then: so only what was put in is taken out.
    """
    entries = [("ignore", None, kind, _OfZarr(), 0) for kind in (UserWarning, FutureWarning)]
    filters: Any = warnings.filters
    filters[:0] = entries
    try:
        yield
    finally:
        # a list of filters that another thread has put in the place of this one may be a copy
        now: Any = warnings.filters
        for held in (filters, now):
            for entry in entries:
                with suppress(ValueError):
                    held.remove(entry)


def attributes_of(node: Node) -> Mapping[str, Any]:
    """Attributes of an array or group; none where a list, number or text stands in their place."""
    attributes: Any = node.metadata.attributes
    return dict(attributes) if isinstance(attributes, Mapping) else {}


def innermost_store(store: Store) -> Store:
    """The store within wrappers that watch, log or cache."""
    while isinstance(store, WrapperStore):
        store = store._store
    return store


def reading_mode(store: Store) -> Literal["r", "r+"]:
    """How to open what is to be read only: not every writable store has a read-only copy."""
    return "r" if store.read_only else "r+"


def node_name(node: Node) -> str:
    """Where a node is: a path for local stores, ``file.zip#path`` in a ZIP, a URL for others."""
    path = node_path(node)
    if path is not None:
        return str(path)
    store = innermost_store(node.store)
    if isinstance(store, ZipStore):
        file = store.path.resolve()
        return f"{file}#{node.path}" if node.path else str(file)
    if isinstance(store, FsspecStore):
        files = getattr(store.fs, "sync_fs", store.fs)
        return "/".join(filter(None, (files.unstrip_protocol(store.path), node.path)))
    return str(StorePath(store, node.path))


def node_path(node: Node) -> Path | None:
    """Folder of a node in a local store; None where the store is no folder.

    The store itself is asked: of its text, ``file://`` before a path that may be relative and is
    not encoded, no path can be read back.
    """
    root = store_path(node.store)
    return None if root is None or root.is_file() else (root / node.path).resolve()


def store_path(store: Store) -> Path | None:
    """Folder or file of a local store; None for memory, a URL, and what is not known."""
    store = innermost_store(store)
    if isinstance(store, LocalStore):
        return store.root
    if isinstance(store, ZipStore):
        return store.path
    if isinstance(store, FsspecStore):
        protocol = store.fs.protocol
        names = (protocol,) if isinstance(protocol, str) else protocol
        return Path(store.path) if "file" in names or "local" in names else None
    return None


def groups_around(array: zarr.Array[Any]) -> Iterator[tuple[zarr.Group, str]]:
    """The groups that an array lies in, innermost first, each with the array's path in it."""
    parts = array.path.split("/") if array.path else []
    for depth in reversed(range(len(parts))):
        try:
            group = zarr.open_group(
                StorePath(array.store, "/".join(parts[:depth])),
                mode=reading_mode(array.store),
                use_consolidated=False,
            )
        except (*_NOT_THERE, TypeError, ValueError):
            # that of a group is damaged; an array that is named needs none
            continue
        yield group, "/".join(parts[depth:])


def child_node(group: zarr.Group, path: str) -> Node | None:
    """The array or group at a path below a group; None if there is none.

    What the store says of the child itself counts, and only where it says nothing metadata that
    are consolidated in the group: these may be older.

    Raises
    ------
    ValueError
        If the path leads out of the group.
    """
    if not path.strip("/") or any(part in (".", "..") for part in re.split(r"[/\\]", path)):
        raise ValueError(f"{node_name(group)}: the path {path!r} does not lead into the group")
    try:
        return zarr.open(
            StorePath(group.store, f"{group.path}/{path}"),
            mode=reading_mode(group.store),
            use_consolidated=False,
        )
    except _NOT_THERE:
        pass
    try:
        return consolidated(group)[path]
    except (*_NOT_THERE, ValueError):
        return None


def consolidated(group: zarr.Group) -> zarr.Group:
    """A group with the metadata of what lies below it, as they were when they were gathered.

    A remote store may have no others, or list nothing; in a folder what is there now counts.

    Raises
    ------
    ValueError
        If they were not, or the store is local.
    """
    if store_path(group.store) is not None:
        raise ValueError(f"{node_name(group)} lists what it holds")
    mode = reading_mode(group.store)
    return zarr.open_group(group.store_path, mode=mode, use_consolidated=True)
