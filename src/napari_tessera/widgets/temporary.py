"""Temporary folders for outputs that do not fit into memory, and what killed sessions left."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

from napari_tessera.writing.places.file_lock import FileLock
from napari_tessera.writing.places.writer_note import WriterNote

PREFIX = "napari-tessera-"
LOCK_NAME = "in-use.lock"


class TemporaryFolder:
    """A folder that is locked as long as somebody uses it, so that nobody else removes it.

    The lock is the operating system's: it goes with the process, however that ends.
    """

    def __init__(self) -> None:
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            try:
                self._lock = FileLock(self.path / LOCK_NAME, _note())
            except BlockingIOError:
                # Another session took it for a leftover in the moment before it was locked.
                continue
            return

    def remove(self) -> None:
        """Delete it with all that is in it; does nothing the second time."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


def remove_leftovers() -> int:
    """Delete temporary folders whose session is gone; gives how many.

    Only folders of this user that have a lock which nobody holds: a folder that is just being
    made has none yet, and one in use is held.
    """
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock_file = folder / LOCK_NAME
        if not (_is_ours(folder) and lock_file.is_file()):
            continue
        try:
            lock = FileLock(lock_file, _note())
        except OSError:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        removed += not folder.exists()
    return removed


def _note() -> WriterNote:
    return WriterNote.of_this_process(uuid.uuid4().hex, time.time())


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder, no link, that this user made."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    own = getattr(os, "getuid", None)
    return folder.is_dir() and not folder.is_symlink() and (own is None or found.st_uid == own())
