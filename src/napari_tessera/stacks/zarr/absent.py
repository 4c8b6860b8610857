"""Counting the chunks of an array that its Zarr store does not have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil
from threading import Lock
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer

from napari_tessera.stacks.reading.number_set import NumberSet
from napari_tessera.stacks.zarr.shard_index import ShardIndex


class AbsentChunks:
    """Counts the chunks of one array that are met and not in its store. Thread-safe.

    An object of the store, a chunk or a whole shard, that is not there counts as one, once a read
    says that it is (see `add`). So does each chunk inside the image that the index of a shard
    leaves out, when that index is read for the first time. Nothing counts twice.

    Parameters
    ----------
    array : zarr.Array
        The array.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._prefix = f"{array.path}/" if array.path else ""
        self._shape = array.shape
        self._chunks = array.chunks
        self._outer = array.shards or array.chunks
        self._grid = [ceil(n / size) for n, size in zip(array.shape, self._outer, strict=True)]
        self._index = ShardIndex.of(array)
        self._missing = NumberSet()
        self._indices = NumberSet()
        self._left_out = 0
        self._lock = Lock()

    @property
    def count(self) -> int:
        """How many are known; the least there are, once more are met than can be remembered."""
        return len(self._missing) + self._left_out

    def knows(self, key: str) -> bool:
        """Whether an object was added before; False too where not all can be remembered."""
        return self._number(key) in self._missing

    def add(self, key: str) -> None:
        """Count an object that is not in the store."""
        self._missing.add(self._number(key))

    def look_into(self, key: str, byte_range: ByteRequest | None, value: Buffer) -> None:
        """Count what the index of a shard leaves out, where that is what was read."""
        if self._index is None:
            return
        part = self._index.part(value, byte_range)
        if part is not None and self._indices.add(self._number(key)):
            inside = self._inside(self.position(key))
            left_out = int(np.count_nonzero(self._index.left_out(part)[inside]))
            with self._lock:
                self._left_out += left_out

    def inner(self, key: str) -> str:
        """Key of an object within the array."""
        return key.removeprefix(self._prefix)

    def position(self, key: str) -> tuple[int, ...] | None:
        """Place, in the grid of chunks (shards), of an object; None where the key tells none.

        Keys are ``c/0/1``, ``c.0.1`` (Zarr 3) or ``0.1``, ``0/1`` (Zarr 2).
        """
        parts = re.split("[/.]", self.inner(key))
        if parts[0] == "c":
            parts = parts[1:]
        if len(parts) != len(self._grid) or not all(part.isdecimal() for part in parts):
            return None
        return tuple(map(int, parts))

    def region(self, position: Sequence[int]) -> tuple[slice, ...]:
        """The part of the image that a chunk (shard) holds."""
        return tuple(
            slice(at * size, min((at + 1) * size, length))
            for at, size, length in zip(position, self._outer, self._shape, strict=True)
        )

    def _number(self, key: str) -> int:
        position = self.position(key)
        if position is None:
            return abs(hash(key))
        number = 0
        for at, count in zip(position, self._grid, strict=True):
            number = number * count + at
        return number

    def _inside(self, position: Sequence[int] | None) -> tuple[slice, ...]:
        """The chunks of a shard that are not wholly beyond the image's far edges."""
        if position is None:
            return ()
        return tuple(
            slice(0, ceil((part.stop - part.start) / size))
            for part, size in zip(self.region(position), self._chunks, strict=True)
        )
