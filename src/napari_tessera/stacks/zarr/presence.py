"""Whether an array is still in its store while it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import monotonic
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from napari_tessera.stacks.zarr.whole import ChunkError

TRUSTED_SECONDS = 1.0
"""How long it is not asked again whether the array is there, for chunks known to be absent."""

_FREE_TO_CHANGE = {"attributes", "consolidated_metadata", "dimension_names", "shape"}
"""What may change in an array's metadata while its chunks stay what they are."""


class ArrayGoneError(ChunkError):
    """An array is not in its store any more, or another one is in its place."""


class ArrayPresence:
    """Tells chunks that are absent from an array that is gone: of that every chunk is absent.

    Parameters
    ----------
    array : zarr.Array
        The array, as it is now.
    store : zarr.abc.store.Store, optional
        By what it is asked for; default: the array's own store.
    """

    def __init__(self, array: zarr.Array[Any], store: Store | None = None) -> None:
        self._store = array.store if store is None else store
        own, *around = _metadata_keys(array)
        self._described_at = own
        self._description = self._read(own)
        if self._description is None:
            # Where metadata are consolidated the array's own may be left out: then those of a
            # group around it stand for its being there.
            self._described_at = next((key for key in around if self._read(key) is not None), "")
        self._checked = monotonic()

    def is_fresh(self) -> bool:
        """Whether the array was there a moment ago."""
        return monotonic() - self._checked < TRUSTED_SECONDS

    def check(self, missed: str = "") -> None:
        """Check that the array is still there and the same.

        Parameters
        ----------
        missed : str, optional
            Key of a chunk that is not there.

        Raises
        ------
        ArrayGoneError
            If it is not. Its chunks cannot be read any more.
        Exception
            Whatever the store raises that cannot tell.
        """
        if not self._described_at:
            return
        asked = monotonic()
        now = self._read(self._described_at)
        if now is not None and (self._description is None or _same(self._description, now)):
            self._checked = asked
            return
        what = "removed" if now is None else "replaced by another one"
        which = f"chunk {missed} is not there: " if missed else ""
        raise ArrayGoneError(f"{which}the array was {what} while it was open")

    def _read(self, key: str) -> bytes | None:
        """A document of the store; None where there is none."""
        # In newer Zarr-Python stores in folders and in memory answer at once, not by way of zarr's
        # own thread: that is felt where many chunks are absent.
        directly: Any = getattr(self._store, "get_sync", None)
        prototype = default_buffer_prototype()
        if directly is None:
            value = sync(self._store.get(key, prototype))
        else:
            value = directly(key, prototype=prototype)
        return None if value is None else value.to_bytes()


def _metadata_keys(array: zarr.Array[Any]) -> Iterator[str]:
    """Where the metadata of an array are, and those of the groups that it lies in."""
    version3 = array.metadata.zarr_format == 3
    parts = array.path.split("/") if array.path else []
    for depth in reversed(range(len(parts) + 1)):
        names = ["zarr.json"] if version3 else [".zmetadata", ".zgroup"]
        if depth == len(parts) and not version3:
            names = [".zarray"]
        yield from ("/".join([*parts[:depth], name]) for name in names)


def _same(described: bytes, described_now: bytes) -> bool:
    """Whether two descriptions of an array are of the same chunks. An array may have grown."""
    if described == described_now:
        return True
    before, now = _parsed(described), _parsed(described_now)
    fixed = (before.keys() | now.keys()) - _FREE_TO_CHANGE
    if any(before.get(name) != now.get(name) for name in fixed):
        return False
    old, new = before.get("shape", []), now.get("shape", [])
    return len(old) == len(new) and all(b >= a for a, b in zip(old, new, strict=True))


def _parsed(document: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(document)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
