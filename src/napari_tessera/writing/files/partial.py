"""A file that appears under its name when it is complete, or not at all."""

from __future__ import annotations

import errno
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_tessera.writing.places.checks import check_file, check_place
from napari_tessera.writing.places.retrying import FULL

_SHORT = re.compile(r"\d+ requested and \d+ written")


@contextmanager
def complete_file(target: Path, *, overwrite: bool, nbytes: int) -> Iterator[Path]:
    """Write a file under another name beside it, and give it its name at the end.

    Parameters
    ----------
    target : pathlib.Path
        The file.
    overwrite : bool
        Replace a file that is there.
    nbytes : int
        About how large it gets, for an error message.

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
    OSError
        If the disk is full, in one line; else whatever writing raises.
    """
    check_place(target)
    check_file(target, overwrite=overwrite)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
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
