"""A group in a store that says who writes it, for places that have no locks."""

from __future__ import annotations

import json
import time
import uuid
import weakref
from collections.abc import Callable

from zarr.abc.store import Store

from napari_tessera.writing.places.keys import delete_dir, read_key, write_key
from napari_tessera.writing.places.writer_note import WriterNote

HEARTBEAT = "tessera_heartbeat"
"""Name of the group whose attributes say so: a reader of Zarr warns of what is no node."""

_KEY = f"{HEARTBEAT}/zarr.json"
_OLD_KEY = f"{HEARTBEAT}/.zgroup"

BEAT_SECONDS = 15.0
"""How long a beat stands before the next."""

STALE_SECONDS = 600.0
"""After how long without a beat its writer counts as gone."""


_BEATING: set[str] = set()
"""Tokens of the writers of this process that have not ended."""


class HeartbeatOfAnotherError(Exception):
    """Another writer has the store, or had it; ``note`` says which, None where it is gone too."""

    def __init__(self, note: WriterNote | None) -> None:
        super().__init__(str(note))
        self.note = note


class Heartbeat:
    """Says in a store that it is being written, again and again while it is.

    Best effort: two writers that begin at the same moment are told apart by what they read back,
    which not every server promises to be the newest; and a writer that stood still longer than
    `STALE_SECONDS` (a computer asleep) finds out at its next beat that another went on.

    Parameters
    ----------
    store : zarr.abc.store.Store
        The store.
    clock : callable, optional
        Seconds since 1970.

    Raises
    ------
    HeartbeatOfAnotherError
        If another writer's heartbeat is there and not stale.
    OSError
        If the store cannot be written to.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._token = uuid.uuid4().hex
        found = self._read()
        if found is not None and not self._is_stale(found):
            raise HeartbeatOfAnotherError(found)
        # where the network fails, the key of one that ended stays
        _BEATING.add(self._token)
        self._here = weakref.finalize(self, _BEATING.discard, self._token)
        try:
            # of a store of Zarr 2 this is what makes it a group
            write_key(store, _OLD_KEY, b'{"zarr_format": 2}')
            self._beat()
            found = self._read()
            if found is not None and found.token != self._token:
                raise HeartbeatOfAnotherError(found)
        except BaseException:
            self._here()
            raise

    def beat(self) -> None:
        """Say so again, if the last time is `BEAT_SECONDS` ago.

        Raises
        ------
        HeartbeatOfAnotherError
            If another writer has taken the store over. One that has ended since removed its own
            heartbeat, so that none is there any more.
        """
        if abs(self._clock() - self._last) < BEAT_SECONDS:
            return
        found = self._read()
        if found is None or found.token != self._token:
            raise HeartbeatOfAnotherError(found)
        self._beat()

    def release(self) -> None:
        """Remove the group, if it is still this writer's."""
        self._here()
        found = self._read()
        if found is not None and found.token == self._token:
            delete_dir(self._store, HEARTBEAT)

    def _beat(self) -> None:
        self._last = self._clock()
        note = WriterNote.of_this_process(self._token, self._last)
        group = {"zarr_format": 3, "node_type": "group", "attributes": note.to_dict()}
        write_key(self._store, _KEY, json.dumps(group).encode())

    def _read(self) -> WriterNote | None:
        value = read_key(self._store, _KEY)
        try:
            return None if value is None else WriterNote.from_dict(json.loads(value)["attributes"])
        except (KeyError, TypeError, ValueError):
            # cut off, and so of a writer that is gone
            return None

    def _is_stale(self, note: WriterNote) -> bool:
        if note.is_of_this_process:
            return note.token not in _BEATING
        return abs(self._clock() - note.time) > STALE_SECONDS or note.is_gone
