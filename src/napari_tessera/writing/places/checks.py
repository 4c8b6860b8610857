"""Whether a place can be written to, found out before anything is written there."""

from __future__ import annotations

import glob
import os
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from napari_tessera.stacks.opening.location import local_path
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.writing.stored.stored_run import read_unfinished

ZARR_SUFFIXES = (".zarr",)
TIFF_SUFFIXES = (".tif", ".tiff")

Sources = str | Path | Iterable[str | Path] | None
"""What an image comes from: one place or several."""

_LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.partial$")


def check_target(
    path: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    source: Sources = None,
) -> None:
    """Raise unless a result can be written to a path. Nothing is written or deleted.

    Parameters
    ----------
    path : str or pathlib.Path
        A Zarr store (``.zarr``, ``.ome.zarr``) or a file (``.tif``, ``.tiff``).
    resume : bool, default False
        An unfinished run of ours may be there. Nothing there is no error.
    overwrite : bool, default False
        A Zarr store, or a file where a file is to be written, may be there.
    source : str, pathlib.Path or several of them, optional
        Where the image comes from, as `stacks.read_origins` gives it; the result may not replace
        any of it, nor lie in the Zarr store that it is a part of.

    Raises
    ------
    FileExistsError
        If something is there that was not asked to be continued or replaced, or that is neither
        a Zarr store nor a file of the kind: such a thing is never deleted.
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder is missing, no folder, or read-only.
    ValueError
        If the ending is unknown, the input is there, or ``resume`` and ``overwrite`` are both
        given, or ``resume`` for a TIFF.
    """
    target = Path(path)
    if target.suffix.lower() not in (*ZARR_SUFFIXES, *TIFF_SUFFIXES):
        raise ValueError(
            f"output {target.name!r}: unknown ending {target.suffix!r}; use .ome.zarr, .zarr, "
            ".ome.tif or .tif"
        )
    is_zarr = target.suffix.lower() in ZARR_SUFFIXES
    if resume and not is_zarr:
        raise ValueError(
            f"output {target.name!r}: a TIFF is written when all is done and cannot be resumed; "
            "use .ome.zarr"
        )
    check_place(target, source)
    if is_zarr:
        check_store(target, resume=resume, overwrite=overwrite)
    else:
        check_file(target, overwrite=overwrite)


def check_place(target: Path, source: Sources = None) -> None:
    """Raise unless a path's folder can be written to and the path is not the input's."""
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
    own = target.resolve()
    for one in [source] if isinstance(source, str | Path) else source or ():
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


def check_store(target: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Raise unless a Zarr store can be made at a path, continued or replaced as asked."""
    if resume and overwrite:
        raise ValueError(f"{target}: resume and overwrite exclude each other; choose one")
    if is_free(target):
        return
    if target.is_symlink() or not is_zarr_folder(target):
        raise FileExistsError(
            f"{target} exists and is no Zarr store, so it is never replaced: choose another name"
        )
    if overwrite:
        return
    stored = read_unfinished(target)
    if stored is None:
        if resume:
            raise FileExistsError(
                f"{target} exists and holds no run of napari-tessera to resume: choose another "
                "name, or replace it with --overwrite"
            )
    elif resume:
        return
    continue_it = "" if stored is None or stored.completed else "continue it with --resume, "
    raise FileExistsError(
        f"{target} exists: {continue_it}replace it with --overwrite, or choose another name"
    )


def check_file(target: Path, *, overwrite: bool = False) -> None:
    """Raise unless a file can be made at a path, or replaced as asked."""
    if not os.path.lexists(target):
        return
    if not target.is_file():
        raise FileExistsError(
            f"{target} exists and is no file, so it is never replaced: choose another name"
        )
    if not overwrite:
        raise FileExistsError(
            f"{target} exists: replace it with --overwrite, or choose another name"
        )


def is_free(path: Path) -> bool:
    """Whether there is nothing at a path, or an empty folder (a killed write's rest included)."""
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_dir():
        return False
    return all(_LEFTOVER.search(entry.name) for entry in path.iterdir())


def delete_store(path: Path) -> None:
    """Delete a Zarr store that `check_store` allowed to replace; nothing there is no error."""
    if is_free(path):
        return
    if path.is_symlink() or not is_zarr_folder(path):
        raise FileExistsError(f"{path} is no Zarr store, so it is never deleted")
    # Moved aside in one step: a deletion that is cut short leaves no store that looks whole. What
    # an earlier one left goes too.
    path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial"))
    for aside in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if _LEFTOVER.search(aside.name) and aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)


def remove_leftovers(path: Path) -> int:
    """Delete files that zarr had not finished writing when it was killed; returns how many."""
    leftovers = [file for file in path.rglob("*.partial") if _LEFTOVER.search(file.name)]
    for file in leftovers:
        file.unlink(missing_ok=True)
    return len(leftovers)
