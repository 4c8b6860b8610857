"""A file that appears under its name when it is complete, or not at all."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from napari_tessera.stacks.zarr.retrying import FULL
from napari_tessera.whole_files import partial_of, partials_of
from napari_tessera.writing.places.checks import check_file, check_place
from napari_tessera.writing.places.lock import StoreLock, lock_store
from napari_tessera.writing.places.target import parse_target

_SHORT = re.compile(r"\d+ requested and \d+ written")


@contextmanager
def complete_file(
    target: Path, *, overwrite: bool, nbytes: int, lock: StoreLock | None = None
) -> Iterator[Path]:
    """Write a file under another name beside it, and give it its name at the end.

    Parameters
    ----------
    target : pathlib.Path
        The file.
    overwrite : bool
        Replace a file that is there.
    nbytes : int
        About how large it gets, for an error message.
    lock : StoreLock, optional
        The file's lock, where the caller has it (see `lock_file`); default: it is taken here.

    Yields
    ------
    pathlib.Path
        Name to write to. After an error nothing is left there, and what had been under the name
        ``target`` is as it was.

    Raises
    ------
    FileExistsError
        If a file is there, or has come meanwhile, and ``overwrite`` is False; or something else.
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder is missing, no folder, or read-only.
    StoreBusyError
        If another run writes the file.
    OSError
        If the disk is full, in one line; else whatever writing raises.
    """
    check_place(target)
    check_file(target, overwrite=overwrite)
    own = lock_file(target) if lock is None else None
    with own or nullcontext():
        if own or lock:
            _remove_partials(target)
        partial = partial_of(target)
        try:
            with telling_of_no_room(target, nbytes):
                yield partial
                with partial.open("rb+") as file:
                    # some disks find out that they are full when they store what was written
                    os.fsync(file.fileno())
            check_file(target, overwrite=overwrite)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def lock_file(target: Path) -> StoreLock | None:
    """Keep other writers away from a file, from before it is predicted, say, until it is there.

    Returns
    -------
    StoreLock or None
        None on a disk that knows no locks: a file holds no key that would do instead.

    Raises
    ------
    StoreBusyError
        If another run writes the file, of this or another process.
    """
    try:
        # of what kind the file is makes no difference
        return lock_store(parse_target(target, "tiff"))
    except ValueError:
        return None


def _remove_partials(target: Path) -> None:
    """Delete what killed writers left; to be called by the one who has the file's lock."""
    for left in partials_of(target):
        left.unlink(missing_ok=True)


@contextmanager
def telling_of_no_room(target: str | Path, nbytes: int) -> Iterator[None]:
    """Say in one line, with the way out, that a disk is full, where writing says so.

    Parameters
    ----------
    target : str or pathlib.Path
        What is written.
    nbytes : int
        About how large it gets.
    """
    try:
        yield
    except OSError as error:
        # NumPy tells of a file that does not grow without the system's number
        short = error.errno is None and _SHORT.fullmatch(str(error))
        if error.errno not in FULL and not short:
            raise
        raise OSError(
            error.errno or errno.ENOSPC,
            f"no space left for {target}, of up to {_size(nbytes)}: make room, or choose another "
            "place",
        ) from error


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 10**9 else f"{nbytes / 1e6:.1f} MB"
