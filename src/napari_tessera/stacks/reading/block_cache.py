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
        Bytes that all blocks together may take. A block larger than this is kept alone, until
        the next one comes: an image in one strip would else be decoded anew for every patch.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[K, NDArray[np.generic]] = OrderedDict()
        self._making: dict[K, Lock] = {}
        self._bytes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that the blocks take now."""
        return self._bytes

    def get(self, key: K, make: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
        """The block of a key, made where it is not there.

        Threads that ask for the same block at once wait for the one that makes it; where that
        one fails, each tries for itself. ``make`` must not ask for blocks of this cache.
        """
        while True:
            with self._lock:
                block = self._blocks.get(key)
                if block is not None:
                    self._blocks.move_to_end(key)
                    return block
                other = self._making.get(key)
                if other is None:
                    own = self._making[key] = Lock()
                    own.acquire()
                    break
            with other:
                # released when it is made
                pass
        try:
            block = make()
            with self._lock:
                self._put(key, block)
        finally:
            with self._lock:
                del self._making[key]
            own.release()
        return block

    def clear(self) -> None:
        """Forget every block."""
        with self._lock:
            self._blocks.clear()
            self._bytes = 0

    def _put(self, key: K, block: NDArray[np.generic]) -> None:
        self._blocks[key] = block
        self._bytes += block.nbytes
        while self._bytes > self._limit and len(self._blocks) > 1:
            self._bytes -= self._blocks.popitem(last=False)[1].nbytes
