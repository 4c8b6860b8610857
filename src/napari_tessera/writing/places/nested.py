"""Writers that work around a place, or inside it: what one deletes, the other would write to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.writing.places.file_lock import is_held


def lock_path(place: Path) -> Path:
    """The hidden file beside a place that its writer has a lock on."""
    return place.with_name(f".{place.name}.lock")


def place_around(place: Path) -> Path | None:
    """The folder around a place that is being written; None where there is none."""
    # by another way through links too
    here = place.parent.resolve()
    for folder in (here, *here.parents):
        if folder.name and is_held(lock_path(folder)):
            return folder
    return None


def place_inside(place: Path) -> Path | None:
    """What lies in a folder and is being written; None where there is none.

    Chunks are not looked through.
    """
    return next((_place_of(lock) for lock in _locks_below(place) if is_held(lock)), None)


def _locks_below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        if ".zarray" in files:
            folders[:] = [name for name in folders if not name.isdigit()]
        if "zarr.json" in files and "c" in folders and not is_zarr_folder(Path(root, "c")):
            folders.remove("c")
        yield from (Path(root, name) for name in files if _is_lock(name))


def _is_lock(name: str) -> bool:
    return name.startswith(".") and name.endswith(".lock") and len(name) > len("..lock")


def _place_of(lock: Path) -> Path:
    return lock.with_name(lock.name[1 : -len(".lock")])
