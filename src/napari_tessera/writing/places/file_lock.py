"""A lock that the operating system holds on a file, and lets go with the process that took it."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from napari_tessera.writing.places.writer_note import WriterNote

_TRIES = 100

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    # far behind the note: Windows lets no one read what is locked
    _LOCKED_BYTE = 1 << 30

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # flock and not lockf, by which two writers of one process would both have it
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Exclusive lock on a file that is made for it, and removed at the release.

    The lock is the system's, the file is only its handle: one that a killed process left locks no
    one out, and the next writer takes it over.

    Parameters
    ----------
    path : pathlib.Path
        The file; nothing else may use it.
    note : WriterNote
        Written into the file: who has it.

    Raises
    ------
    BlockingIOError
        If another process, or another `FileLock` of this one, has it.
    OSError
        If the file cannot be made, or its file system knows no locks.
    """

    def __init__(self, path: Path, note: WriterNote) -> None:
        # whatever folder the process works in when it lets go
        self.path = path = path.absolute()
        self._descriptor: int | None = None
        self._owner = os.getpid()
        for _ in range(_TRIES):
            descriptor = _open(path)
            try:
                _lock(descriptor)
                if _is_at(descriptor, path):
                    _write(descriptor, note)
                    self._descriptor = descriptor
                    return
            except BaseException:
                os.close(descriptor)
                raise
            # Its owner removed it after it was opened here: a file that no one else finds.
            os.close(descriptor)
        raise BlockingIOError(f"{path} is taken and let go by others all the time")

    def release(self) -> None:
        """Let go, and remove the file; does nothing the second time. From any thread."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if os.getpid() != self._owner:
            # of a process that was forked: the lock stays with the one that took it
            os.close(descriptor)
            return
        if sys.platform == "win32":  # pragma: no cover
            # There no one can remove a file that is open: then another writer has it already.
            os.close(descriptor)
            with suppress(OSError):
                self.path.unlink()
            return
        try:
            # Before the lock goes: who opened the file meanwhile sees that it is not there.
            with suppress(OSError):
                if _is_at(descriptor, self.path):
                    self.path.unlink()
        finally:
            os.close(descriptor)

    def __del__(self) -> None:
        # of a writer that was dropped before it was closed
        self.release()


def read_note(path: Path) -> WriterNote | None:
    """What the owner of a lock wrote into its file; None where that cannot be read."""
    try:
        return WriterNote.from_dict(json.loads(path.read_bytes()))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def is_held(path: Path) -> bool:
    """Whether somebody, this process included, has the lock on a file; False where there is none.

    Who asks has it for the moment, if it is free: so it is asked only where two who ask at once
    may both be refused.
    """
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | flags)
    except OSError:
        return False
    try:
        _lock(descriptor)
    except BlockingIOError:
        return True
    except OSError:
        # of a file system that knows no locks
        return False
    finally:
        os.close(descriptor)
    return False


def _open(path: Path) -> int:
    # not through a link: what it leads to would be written over
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError:
        if not path.exists():
            raise
        # left by a killed process of someone else: it can be locked all the same
        return os.open(path, os.O_RDONLY | flags)


def _write(descriptor: int, note: WriterNote) -> None:
    # a disk that is full, or someone else's file, takes no note; the lock is as good without
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(note.to_dict()).encode())


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
