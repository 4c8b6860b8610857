"""A Zarr store in a folder that tells what is not there from what is there and is no file."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from napari_tessera.stacks.protocol import StackReadError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class NoFileError(StackReadError):
    """Something is in the place of a store's file that is no file, or is a link to nothing."""


class FileStore(LocalStore):
    """A folder of Zarr files, only read from.

    Zarr takes for absent what it cannot open as a file: a folder, and a link to data that were
    not fetched, as git-annex and DataLad leave them. A pipe it would wait for without end, and a
    device may never end. Here these are errors; one question a read is what that costs.

    Parameters
    ----------
    root : str or path
        The folder.
    """

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """What is stored under a key, or part of it; None if nothing is."""
        if hasattr(LocalStore, "get_sync"):
            # both questions in one thread: a network drive may take its time for either
            return await asyncio.to_thread(
                self._get_at_once, key, prototype=prototype, byte_range=byte_range
            )
        check_file(self.root, key)
        return await super().get(key, prototype, byte_range)

    def _get_at_once(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """What is stored under a key, where the release of Zarr-Python can read without a loop."""
        check_file(self.root, key)
        directly: Any = getattr(super(), "get_sync")  # noqa: B009
        value: Buffer | None = directly(key, prototype=prototype, byte_range=byte_range)
        return value

    if hasattr(LocalStore, "get_sync"):
        get_sync = _get_at_once


def with_checked_files(store: Store) -> Store:
    """A store in a folder as a `FileStore`; any other as it is."""
    if type(store) is LocalStore:
        return FileStore(store.root, read_only=store.read_only)
    return store


def check_file(root: Path, key: str) -> None:
    """Check that what is under a key of a folder is a file, or that nothing is.

    Raises
    ------
    NoFileError
        If it is something else, or a link on the way to it leads nowhere.
    """
    path = f"{root}/{key}"
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_absent(root, key)
        return
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise NoFileError(f"{path} is {kind}, no file")


def _check_absent(root: Path, key: str) -> None:
    """Look for what is in the way, from the file outwards to the first folder that is there."""
    parts = key.split("/")
    for count in reversed(range(1, len(parts) + 1)):
        path = "/".join([str(root), *parts[:count]])
        try:
            mode = os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            if os.path.islink(path):
                raise NoFileError(f"{path} is a link to nothing: fetch the data first") from None
            continue
        if not stat.S_ISDIR(mode):
            raise NoFileError(f"{path} is no folder, {key} cannot be in it")
        return
