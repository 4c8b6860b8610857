"""A small memory of decoded blocks, so that neighbouring patches decode what they share once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

K = TypeVar("K", bound=Hashable)


class BlockCache(Generic[K]):
    """The most recently used blocks, up to a number of bytes; safe to use from several threads.

    Parameters
    ----------
    limit : int
        Bytes that all blocks together may take. A block larger than this is not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[K, NDArray[np.generic]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that the blocks take now."""
        return self._bytes

    def get(self, key: K, make: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
        """The block of a key, made where it is not there; several threads may make the same."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
                return block
        block = make()
        if block.nbytes > self._limit:
            return block
        with self._lock:
            kept = self._blocks.setdefault(key, block)
            if kept is block:
                self._bytes += block.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._blocks.popitem(last=False)[1].nbytes
        return kept

    def clear(self) -> None:
        """Forget every block."""
        with self._lock:
            self._blocks.clear()
            self._bytes = 0
