"""A Zarr folder packed into one file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path, PurePosixPath

from zarr.abc.store import Store

from napari_tessera.stacks.checks import error_line
from napari_tessera.whole_files import LEFTOVER, partial_of
from napari_tessera.writing.places.removal import METADATA, move_aside, remove_asides
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target, zarr_target


def pack(where: str | PathLike[str] | Store | Target) -> None:
    """Pack what a ZIP file was built in into the file, and remove it; does nothing elsewhere.

    To be called by the one who has the place's lock, when all is written. Chunks are compressed
    already, so that they are only stored. What says what is in the file stands first in it, so
    that a reader need not look far. The file appears under its name when it is complete.

    Raises
    ------
    StoreError
        If that fails: the folder is then left, whole, and named.
    """
    target = zarr_target(where)
    if not target.zipped or target.folder is None or target.path is None:
        return
    partial = partial_of(target.path)
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for file in sorted(_files(target.folder), key=_order):
                archive.write(target.folder / file, file)
        partial.replace(target.path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StoreError(
            f"{target.name} cannot be packed ({error_line(error)}): the image is left as the "
            f"folder {target.folder}, which can be renamed",
            error,
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    # in one step: half of a folder would be known for nothing of ours, and stay for ever
    move_aside(target.folder)
    remove_asides(target)


def _files(folder: Path) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if not LEFTOVER.search(name):
                yield (Path(parent) / name).relative_to(folder).as_posix()


def _order(file: str) -> tuple[bool, int, str]:
    path = PurePosixPath(file)
    return (path.name not in METADATA, len(path.parts), file)
