"""One writer to a place: the second one is refused."""

from __future__ import annotations

import errno
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from zarr.abc.store import Store

from napari_tessera.stacks.checks import error_line
from napari_tessera.writing.places.file_lock import FileLock, is_held, read_note
from napari_tessera.writing.places.heartbeat import Heartbeat, HeartbeatOfAnotherError
from napari_tessera.writing.places.nested import lock_path, place_around, place_inside
from napari_tessera.writing.places.retrying import StoreError, store_error
from napari_tessera.writing.places.target import Target, zarr_target
from napari_tessera.writing.places.writer_note import WriterNote

_KNOWS_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})


class StoreBusyError(OSError):
    """Another run writes to the place."""


class StoreLock:
    """Keeps other writers away from a place until it is released.

    Parameters
    ----------
    name : str
        What messages call the place.
    held : FileLock or Heartbeat
        What keeps them away.
    """

    def __init__(self, name: str, held: FileLock | Heartbeat) -> None:
        self.name = name
        self.lost = False
        """Whether another writer has taken the place over: nothing may be written there then."""
        self._held = held

    def refresh(self) -> None:
        """Say that the place is still being written; to be called now and then while it is.

        Raises
        ------
        StoreBusyError
            If another writer has taken the place over, as this one stood still too long.
        """
        if isinstance(self._held, Heartbeat):
            try:
                self._held.beat()
            except HeartbeatOfAnotherError as taken:
                self.lost = True
                if taken.note is None:
                    raise StoreBusyError(
                        f"{self.name} was taken over by another run, or removed, while this one "
                        "stood still: choose another name and start anew"
                    ) from None
                raise _busy(self.name, taken.note) from None

    def release(self) -> None:
        """Let others write; does nothing the second time."""
        # a heartbeat that cannot be removed any more is stale before long
        with suppress(OSError):
            self._held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def lock_store(
    where: str | PathLike[str] | Store | Target, *, clock: Callable[[], float] = time.time
) -> StoreLock:
    """Keep other writers away from a place, before anything is read or deleted there.

    A local place has a lock of the operating system on a hidden file beside it, ``.NAME.lock``,
    which is gone with the process, however that ends. Other places, and file systems that know no
    locks, have a key in the store (see `Heartbeat`): best effort. Of a local place it is seen too
    whether a folder around it, or something inside it, is being written.

    Parameters
    ----------
    where : str, path-like, zarr.abc.store.Store or Target
        The place; its folder exists.
    clock : callable, optional
        Seconds since 1970.

    Raises
    ------
    StoreBusyError
        If another run writes there, around or inside it, of this or another process.
    StoreError
        If the place does not take or give what it should.
    ValueError
        If such places can only be read.
    """
    target = zarr_target(where)
    if target.path is not None:
        path = lock_path(target.path)
        note = WriterNote.of_this_process(uuid.uuid4().hex, clock())
        try:
            lock = StoreLock(target.name, FileLock(path, note))
            try:
                _check_apart(target.name, target.path)
            except BaseException:
                lock.release()
                raise
            return lock
        except StoreBusyError:
            raise
        except BlockingIOError:
            raise _busy(target.name, read_note(path)) from None
        except OSError as error:
            if error.errno not in _KNOWS_NO_LOCKS:
                raise store_error(target.name, error) from error
            # it was made before the lock was asked for
            with suppress(OSError):
                path.unlink()
    try:
        return StoreLock(target.name, Heartbeat(target.open_store(), clock=clock))
    except HeartbeatOfAnotherError as taken:
        raise _busy(target.name, taken.note) from None
    except FileNotFoundError as error:
        raise StoreError(
            f"{target.name} cannot be made ({error_line(error)}): create what it lies in, or "
            "choose another place",
            error,
        ) from error
    except (NotImplementedError, ValueError) as error:
        # of what only reads such places
        raise ValueError(
            f"{target.name} cannot be written to ({error_line(error)}): choose another place"
        ) from error


def check_not_written(where: str | PathLike[str] | Store | Target) -> None:
    """Raise StoreBusyError where another run writes to a local place; others are not looked at.

    It may begin a moment later: `lock_store` decides.
    """
    target = zarr_target(where)
    if target.path is not None and is_held(path := lock_path(target.path)):
        raise _busy(target.name, read_note(path))


def _check_apart(name: str, place: Path) -> None:
    """Raise where a folder around the place, or something inside it, is being written.

    Asked by the one who has the place's own lock: of two who come at once one sees the other.
    """
    around = place_around(place)
    if around is not None:
        raise StoreBusyError(
            f"{name} lies inside {around}, which is being written by "
            f"{read_note(lock_path(around)) or 'another process'}: wait or choose another place"
        )
    inside = place_inside(place)
    if inside is not None:
        raise StoreBusyError(
            f"{name} holds {inside}, which is being written by "
            f"{read_note(lock_path(inside)) or 'another process'}: wait or choose another name"
        )


def _busy(name: str, note: WriterNote | None) -> StoreBusyError:
    who = "another process" if note is None else str(note)
    return StoreBusyError(f"{name} is being written by {who}: wait or choose another name")
