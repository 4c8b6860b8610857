"""What may be deleted to save in its place: one image in a Zarr store, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.zarr.nodes import (
    attributes_of,
    is_zarr_folder,
    quiet_zarr,
    reading_mode,
)
from napari_tessera.whole_files import LEFTOVER
from napari_tessera.writing.places.keys import DELETING, OWN, names_in
from napari_tessera.writing.places.removal import METADATA, is_zarr
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target, zarr_target

_METADATA = METADATA | {".DS_Store"}
_CHUNKS = re.compile(r"c|c?[0-9][0-9./]*")
"""Names of chunks, and of the folders that these lie in, right below an array."""

_NO_IMAGE = ("plate", "well", "bioformats2raw.layout")
"""What the attributes of a group have that holds images, whatever else they have."""

_MOST_NAMED = 3


def enclosing_store(path: Path) -> Path:
    """The outermost Zarr store that a local place lies in; the place itself where there is none.

    A file dialog goes into a folder that is chosen, so that people who type the name of a store
    that exists end up within it, with the same name once more.
    """
    found = path
    for parent in path.absolute().parents:
        if is_zarr_folder(parent):
            found = parent
    return found


def why_kept(where: str | PathLike[str] | Store | Target) -> str:
    """Why what is at a place is never deleted; empty where it is one image, or one array.

    Labels, tables, a plate's wells, other images and people's own files in a store would be
    deleted with it. A group with nothing in it may be replaced, and what an earlier deletion that
    was cut short has left.

    Parameters
    ----------
    where : str, path-like, zarr.abc.store.Store or Target
        A place that is not free (see `is_free`); what `parse_target` takes, whatever its ending.

    Returns
    -------
    str
        ``"it holds more than an image: labels"``, to stand within a sentence.

    Raises
    ------
    StoreError
        If a place that is not local does not answer.
    """
    target = zarr_target(where)
    if not is_zarr(target):
        return "it is no Zarr store"
    try:
        store = target.open_store(read_only=True)
        try:
            return _why_kept(store)
        finally:
            if target.zipped:
                # of what others gave, or will be asked for again, nothing is closed
                store.close()
    except StoreError:
        raise
    except Exception as error:
        return f"it cannot be read ({error_line(error)})"


def _why_kept(store: Store) -> str:
    if not store.supports_listing:
        return "what it holds cannot be listed"
    names = names_in(store)
    if DELETING in names:
        return ""
    with quiet_zarr():
        node = zarr.open(store, mode=reading_mode(store), use_consolidated=False)
    if isinstance(node, zarr.Array):
        return _more_than("an array", _no_chunks(names))
    attributes = attributes_of(node)
    ome = attributes.get("ome", attributes)
    levels = _levels(ome)
    if not levels and (attributes or _others(names)):
        return "it is a Zarr group, but no image"
    if any(name in described for described in (attributes, ome) for name in _NO_IMAGE):
        return "it holds more than one image"
    return _more_than("an image", _beside(store, names, levels))


def _levels(ome: Any) -> set[tuple[str, ...]]:
    """Paths of an image's levels, in any version of OME-Zarr; none of a plate."""
    try:
        return {
            tuple(str(dataset["path"]).strip("/").split("/"))
            for multiscale in ome["multiscales"]
            for dataset in multiscale["datasets"]
        }
    except (KeyError, TypeError):
        return set()


def _beside(store: Store, names: Iterable[str], levels: set[tuple[str, ...]]) -> list[str]:
    """What there is besides an image's levels, in the folders that lead to them and in them."""
    found = [name for name in _others(names) if name not in {level[0] for level in levels}]
    below = {level[:depth] for level in levels for depth in range(1, len(level))}
    for folder in sorted(below):
        next_ones = {level[len(folder)] for level in levels if level[: len(folder)] == folder}
        inside = _others(names_in(store, "/".join(folder)))
        found += ["/".join((*folder, name)) for name in inside if name not in next_ones]
    for level in sorted(levels - below):
        path = "/".join(level)
        found += [f"{path}/{name}" for name in _no_chunks(names_in(store, path))]
    return found


def _no_chunks(names: Iterable[str]) -> list[str]:
    return [name for name in _others(names) if not _CHUNKS.fullmatch(name)]


def _others(names: Iterable[str]) -> list[str]:
    """Names that are neither Zarr's metadata nor what this program puts beside the pixels."""
    return sorted(
        name
        for name in names
        if name not in _METADATA and not name.startswith(OWN) and not LEFTOVER.search(name)
    )


def _more_than(what: str, others: list[str]) -> str:
    return f"it holds more than {what}: {', '.join(others[:_MOST_NAMED])}" if others else ""
