"""A file that is there as a whole or not at all, and what is wrong with a place in one line."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.partial$")
"""End of the name of what was being written, or deleted, when its writer was killed."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def check_place(path: Path, *, overwrite: bool) -> None:
    """Say in one line why a file cannot be written there, before any work is done for it.

    Raises
    ------
    OSError
        If a file is there and may not be replaced, something else is there, or there is no folder
        for it.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: choose the name of a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}: make it, or choose another")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name, or overwrite it")


def partial_of(path: Path) -> Path:
    """A new name beside a file or folder, that it is written under or moved to."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")


def partials_of(path: Path) -> list[Path]:
    """Whatever writers of a file or folder left under names of `partial_of`, killed or at work."""
    found = path.parent.glob(f".{glob.escape(path.name)}.*.partial")
    return [one for one in found if LEFTOVER.sub("", one.name) == f".{path.name}"]


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Write a file under another name beside it, and give it its name at the end.

    Parameters
    ----------
    path : Path
        The file.
    overwrite : bool
        Whether a file that is there may be replaced.

    Yields
    ------
    Path
        Name to write to. After an error nothing is left there, and what had been under the name
        ``path`` is as it was.

    Raises
    ------
    OSError
        As `check_place`; or if the disk is full or the folder closed: one line.
    """
    check_place(path, overwrite=overwrite)
    partial = partial_of(path)
    try:
        yield partial
        with partial.open("rb+") as file:
            # some disks find out that they are full when they store what was written
            os.fsync(file.fileno())
        check_place(path, overwrite=overwrite)
        partial.replace(path)
    except OSError as error:
        told = _told(error, path)
        if told is None:
            raise
        raise told from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _told(error: OSError, path: Path) -> OSError | None:
    """The error in one line with the way out; None where it says as much already."""
    if error.errno in _FULL:
        line = f"no space left for {path}: make room, or choose another place"
    elif error.errno in _CLOSED:
        line = f"{path.parent} cannot be written to ({error.strerror}): choose another folder"
    elif error.errno is not None:
        line = f"{path} cannot be written ({error.strerror or error}): choose another place"
    else:
        return None
    told = type(error)(line)
    told.errno = error.errno
    return told
