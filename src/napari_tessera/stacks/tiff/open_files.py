"""Files read at any position by several threads, of which only some are open at a time."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import overload

Read = Callable[[int, int], bytes]
"""Gives the bytes at (position, count), fewer where the file ends before."""

_UNCHECKED_BYTES = 2**18
_FARTHEST = 2**62


@dataclass
class _OpenFile:
    descriptor: int
    kept: bool
    users: int = 0
    lock: Lock = field(default_factory=Lock)

    def read(self, position: int, count: int) -> bytes:
        if count > _UNCHECKED_BYTES or position > _FARTHEST:
            # what a damaged file asks for must not be made room for
            count = min(count, os.fstat(self.descriptor).st_size - position)
        parts: list[bytes] = []
        while count > 0:
            part = self._read_once(position, count)
            if not part:
                break
            if not parts and len(part) == count:
                return part
            parts.append(part)
            position, count = position + len(part), count - len(part)
        return b"".join(parts)

    if hasattr(os, "pread"):

        def _read_once(self, position: int, count: int) -> bytes:
            return os.pread(self.descriptor, count, position)

    else:

        def _read_once(self, position: int, count: int) -> bytes:
            with self.lock:
                os.lseek(self.descriptor, position, os.SEEK_SET)
                return os.read(self.descriptor, count)


class OpenFiles:
    """Local files by their path, opened when first read, the least recently read closed first.

    Reading holds no lock. Files are read, never mapped into memory: where a mapped file is cut
    short by somebody else, or its disk is gone, the process is killed.

    Parameters
    ----------
    limit : int
        How many files may be open; more only while as many threads read from different ones.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._files: OrderedDict[str, _OpenFile] = OrderedDict()
        self._lock = Lock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._files)

    def keep(self, path: str, descriptor: int) -> None:
        """Take over a descriptor that is open for reading; it stays open until `close`."""
        with self._lock:
            self._files[path] = _OpenFile(descriptor, kept=True)

    @contextmanager
    def reading(self, path: str) -> Iterator[Read]:
        """A function that reads from a file, which stays open meanwhile.

        Raises
        ------
        OSError
            If the file cannot be opened, or everything is closed.
        """
        file = self._enter(path)
        try:
            yield file.read
        finally:
            self._leave(path, file)

    def close(self) -> None:
        """Close every file; those that are being read from, as soon as that is done."""
        with self._lock:
            self._closed = True
            for path, file in list(self._files.items()):
                if not file.users:
                    self._drop(path)

    def _enter(self, path: str) -> _OpenFile:
        file = self._use(path)
        if file is None:
            # opened without the lock: other threads go on reading while a disk is slow
            opened = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                file = self._use(path, opened)
            except BaseException:
                os.close(opened)
                raise
            if file.descriptor != opened:
                os.close(opened)
        return file

    @overload
    def _use(self, path: str) -> _OpenFile | None: ...
    @overload
    def _use(self, path: str, opened: int) -> _OpenFile: ...
    def _use(self, path: str, opened: int | None = None) -> _OpenFile | None:
        """The file that is open by a path, else the one that was opened just now."""
        with self._lock:
            if self._closed:
                raise OSError("closed meanwhile")
            file = self._files.get(path)
            if file is None:
                if opened is None:
                    return None
                file = self._files[path] = _OpenFile(opened, kept=False)
            file.users += 1
            self._files.move_to_end(path)
            self._trim()
            return file

    def _leave(self, path: str, file: _OpenFile) -> None:
        with self._lock:
            file.users -= 1
            if self._closed and not file.users:
                self._drop(path)
            self._trim()

    def _trim(self) -> None:
        if len(self._files) <= self._limit:
            return
        idle = [path for path, file in self._files.items() if not file.users and not file.kept]
        for path in idle[: len(self._files) - self._limit]:
            self._drop(path)

    def _drop(self, path: str) -> None:
        os.close(self._files.pop(path).descriptor)
