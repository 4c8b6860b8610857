"""Removing what may be removed: a store that is replaced, and what a killed run left."""

from __future__ import annotations

import json
import os
import shutil
from os import PathLike
from pathlib import Path

from zarr.abc.store import Store

from napari_tessera.stacks.zarr.nodes import ZARR_FILES, is_zarr_folder
from napari_tessera.whole_files import LEFTOVER, partial_of, partials_of
from napari_tessera.writing.places.heartbeat import HEARTBEAT
from napari_tessera.writing.places.keys import (
    DELETING,
    delete_dir,
    delete_key,
    holds_zarr,
    keys_in,
    names_in,
    write_key,
)
from napari_tessera.writing.places.target import Target, zarr_target

METADATA = ZARR_FILES | {".zattrs", ".zmetadata"}
"""Names of the files that say what is stored, beside the pixels."""
_BEGUN = ".zgroup"
_EMPTY_GROUP = {
    "zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": {}},
    ".zgroup": {"zarr_format": 2},
}


def is_free(where: str | PathLike[str] | Store | Target) -> bool:
    """Whether there is nothing at a place, or an empty folder (a killed write's rest included).

    So is a group of Zarr 2 that says nothing and holds nothing: what is written first of an image.
    """
    target = zarr_target(where)
    if target.path is None:
        store = target.open_store(read_only=True)
        if not store.supports_listing:
            return not holds_zarr(store)
        return all(name in (HEARTBEAT, _BEGUN) for name in names_in(store))
    path = target.path
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_dir():
        return False
    return all(
        LEFTOVER.search(entry.name)
        or entry.name == HEARTBEAT
        or (entry.name == _BEGUN and entry.is_file())
        for entry in path.iterdir()
    )


def is_zarr(target: Target) -> bool:
    """Whether a place that is not free holds a Zarr array or group, and so may be replaced."""
    if target.path is None:
        return holds_zarr(target.open_store(read_only=True))
    if target.path.is_symlink():
        return False
    if target.zipped:
        return _is_zarr_file(target)
    return is_zarr_folder(target.path)


def _is_zarr_file(target: Target) -> bool:
    assert target.path is not None
    if not target.path.is_file():
        return False
    try:
        store = target.open_store(read_only=True)
        try:
            return holds_zarr(store)
        finally:
            store.close()
    except Exception:
        # no ZIP file, or a damaged one
        return False


def delete_store(where: str | PathLike[str] | Store | Target) -> None:
    """Delete a Zarr store that `check_store` allowed to replace; nothing there is no error.

    A deletion that is cut short leaves no store that looks whole. A finished ZIP file stays until
    the new one takes its place; what an unfinished one was built in goes.

    Raises
    ------
    FileExistsError
        If what is there is no Zarr store.
    """
    target = zarr_target(where)
    if not is_free(target):
        if not is_zarr(target):
            raise FileExistsError(f"{target.name} is no Zarr store, so it is never deleted")
        if target.path is None:
            _delete_keys(target.open_store())
        elif not target.zipped:
            move_aside(target.path)
    elif not target.zipped:
        # by itself it is nothing, beside what is written now it would be another group
        if target.path is not None:
            (target.path / _BEGUN).unlink(missing_ok=True)
        else:
            store = target.open_store()
            if _BEGUN in names_in(store):
                delete_key(store, _BEGUN)
    if target.zipped and target.folder is not None and target.folder.exists():
        if not is_free(target.folder) and not is_zarr_folder(target.folder):
            raise FileExistsError(f"{target.folder} is no Zarr store, so it is never deleted")
        move_aside(target.folder)
    remove_asides(target)


def move_aside(path: Path) -> None:
    """Take a folder out of the way in one step, to be deleted by `remove_asides`."""
    path.rename(partial_of(path))


def remove_asides(target: Target) -> None:
    """Delete what was moved aside or half packed, now or by an earlier run that was cut short."""
    for path in {target.path, target.folder} - {None}:
        assert path is not None
        for aside in partials_of(path):
            if aside.is_dir() and not aside.is_symlink():
                shutil.rmtree(aside)
            elif target.zipped:
                aside.unlink(missing_ok=True)


def _delete_keys(store: Store) -> None:
    """Delete a store's keys, the metadata before the pixels, and what makes it a store last.

    So a deletion that was cut short is known for what it is, which may be deleted, and shows no
    image with holes.
    """
    write_key(store, DELETING, b"")
    there = METADATA.intersection(names_in(store))
    roots = {".zgroup" if name == ".zarray" else name for name in there} & set(_EMPTY_GROUP)
    for name in sorted(roots):
        write_key(store, name, json.dumps(_EMPTY_GROUP[name]).encode())
    for name in sorted(there - roots):
        delete_key(store, name)
    for key in keys_in(store):
        # the writer's own heartbeat stays: without it another run would go ahead too
        root, slash, name = key.partition("/")
        if slash and root != HEARTBEAT and name.rpartition("/")[2] in METADATA:
            delete_key(store, key)
    for name in names_in(store):
        if name not in (HEARTBEAT, DELETING) and name not in roots:
            delete_dir(store, name)
    delete_key(store, DELETING)
    for name in sorted(roots):
        delete_key(store, name)


def remove_leftovers(where: str | PathLike[str] | Store | Target) -> int:
    """Delete what zarr, or a deletion, had not finished when it was killed; returns how many.

    To be called by the one who has the place's lock. Only what is on a local disk has any: other
    places take a value whole or not at all.
    """
    target = zarr_target(where)
    if target.folder is None:
        return 0
    leftovers = [file for file in target.folder.rglob("*.partial") if LEFTOVER.search(file.name)]
    for file in leftovers:
        file.unlink(missing_ok=True)
    remove_asides(target)
    return len(leftovers)
