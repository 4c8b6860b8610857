"""Whether a place can be written to, found out before anything is written there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from zarr.abc.store import Store

from napari_tessera.stacks.opening.location import local_path
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.writing.places.target import Target, zarr_target

Sources = str | Path | Iterable[str | Path] | None
"""What an image comes from: one place or several."""

_SAME_PROTOCOL = {"s3a": "s3", "gcs": "gs", "https": "http", "abfss": "abfs"}

_ADDED = f"..{'0' * 32}.partial"
"""What the name of something half written, or half deleted, has beside the result's."""

_USUAL_NAME_LIMIT = 255


def check_place(where: str | PathLike[str] | Store | Target, source: Sources = None) -> None:
    """Raise unless a place can be written to, as far as looking tells, and is not the input's."""
    target = zarr_target(where)
    sources = [source] if isinstance(source, str | Path) else list(source or ())
    if target.path is None:
        # one that is unknown, or has no library, is told here
        target.open_store()
        for one in sources:
            _check_apart(target, str(one))
    else:
        _check_folder(target.path)
        _check_length(target)
        _check_not_input(target.path, sources)


def _check_folder(target: Path) -> None:
    folder = target.absolute().parent
    if not folder.exists():
        raise FileNotFoundError(
            f"folder {folder} does not exist: create it, or choose another place for {target.name}"
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: choose another place for {target.name}")
    for place in (folder, target):
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(f"{place} is read-only: choose another place for {target.name}")


def _check_length(target: Target) -> None:
    """Raise where the hidden names that stand beside a result for a while would be too long."""
    assert target.path is not None
    longest = target.folder.name if target.zipped and target.folder else target.path.name
    added = len(os.fsencode(longest)) - len(os.fsencode(target.path.name)) + len(_ADDED)
    length = len(os.fsencode(target.path.name))
    limit = _name_limit(target.path.parent) - added
    if length > limit:
        raise ValueError(
            f"{target.name}: a name of {length} bytes is too long, {limit} are possible here with "
            "what is added while it is written: choose a shorter name"
        )


def _name_limit(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        # Windows, or a file system that does not tell
        return _USUAL_NAME_LIMIT


def _check_not_input(target: Path, sources: list[str | Path]) -> None:
    own = target.resolve()
    for one in sources:
        origin = _existing(one)
        if origin is None:
            continue
        if any(_same(own, place) for place in (origin, *origin.parents)):
            raise ValueError(
                f"{target} holds the input, which is never changed: choose another name"
            )
        root = _outermost_store(origin)
        if is_zarr_folder(root) and any(_same(root, place) for place in own.parents):
            raise ValueError(f"{target} lies inside the input's store {root}: choose another place")


def _check_apart(target: Target, source: str) -> None:
    """As `_check_not_input`, by the names of places that are not local."""
    own, origin = _url_parts(target.name), _url_parts(source)
    if not own or not origin:
        return
    if origin[: len(own)] == own:
        raise ValueError(
            f"{target.name} holds the input, which is never changed: choose another name"
        )
    stores = [n for n, part in enumerate(origin, 1) if part.lower().endswith(".zarr")]
    root = origin[: min(stores, default=len(origin))]
    if own[: len(root)] == root:
        raise ValueError(f"{target.name} lies inside the input's store: choose another place")


def _url_parts(url: str) -> tuple[str, ...]:
    """Protocol and parts of a URL, the same however it is written; none of what is no URL."""
    # what reads it, as a cache, stands before "::"
    match = re.match(r"([a-z][a-z0-9+.-]*)://(.*)", url.rpartition("::")[2], re.I | re.S)
    if match is None:
        return ()
    protocol, rest = match.groups()
    protocol = _SAME_PROTOCOL.get(protocol.lower(), protocol.lower())
    rest = rest.partition("?")[0] if protocol == "http" else rest
    server, slash, path = rest.partition("/")
    rest = f"{server.rpartition('@')[2]}{slash}{path}"
    return (protocol, *(part for part in rest.split("/") if part))


def _existing(source: str | Path) -> Path | None:
    """The file or folder that a source names; None where it names none that there is.

    ``file.h5#/path`` is a file with a place in it, unless something is there by that very name.
    """
    path = source if isinstance(source, Path) else local_path(source)
    while path is not None and not path.exists():
        text, hash_sign, _ = str(path).rpartition("#")
        path = Path(text) if hash_sign and text else None
    return None if path is None else path.resolve()


def _outermost_store(path: Path) -> Path:
    """The Zarr store that a path is a part of; the path itself where there is none around it."""
    root = path
    for parent in path.parents:
        # a group may have been left without metadata of its own between others
        if is_zarr_folder(parent) and (parent == root.parent or parent.suffix.lower() == ".zarr"):
            root = parent
    return root


def _same(one: Path, other: Path) -> bool:
    """Whether two resolved paths are one place, on disks too that know no upper case."""
    if one == other:
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False


def check_file(target: Path, *, overwrite: bool = False) -> None:
    """Raise unless a file can be made at a path, or replaced as asked."""
    if not os.path.lexists(target):
        return
    if not target.is_file():
        raise FileExistsError(
            f"{target} exists and is no file, so it is never replaced: choose another name"
        )
    if not overwrite:
        raise FileExistsError(f"{target} exists: overwrite it, or choose another name")
