"""Tiles that were just finished, over an output on disk, which has them a little later."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.lazy_array import Bounds, LazyArray

RECENT_BYTES = 2**26
"""Most that recent tiles take in memory: a row of chunks, or of shards, of a wide plane."""


class RecentTiles:
    """The blocks that were written last.

    A chunk, or a shard of many, is written when all its pixels are there, which for a row of
    shards can take minutes. Thread-safe.

    Parameters
    ----------
    n_bytes : int
        What they may take together.
    """

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        self._kept: OrderedDict[Bounds, NDArray[Any]] = OrderedDict()
        self._total = 0
        self._n_put = 0
        self._lock = threading.Lock()

    @property
    def n_put(self) -> int:
        """How many blocks were put so far."""
        return self._n_put

    def has_all_since(self, n_put: int) -> bool:
        """Whether all blocks are kept that were put after so many."""
        with self._lock:
            return self._n_put - n_put <= len(self._kept)

    def put(self, target: tuple[slice, ...], pixels: NDArray[Any]) -> None:
        """Keep a block; the oldest go where there is no room."""
        bounds = tuple((part.start, part.stop) for part in target)
        block = np.array(pixels)
        with self._lock:
            self._n_put += 1
            self._drop(self._kept.pop(bounds, None))
            self._kept[bounds] = block
            self._total += block.nbytes
            while self._total > self._n_bytes:
                self._drop(self._kept.popitem(last=False)[1])

    def pass_over(self) -> None:
        """Count a block that is on disk already, and is not kept."""
        with self._lock:
            self._n_put += 1 + len(self._kept)

    def _drop(self, block: NDArray[Any] | None) -> None:
        self._total -= 0 if block is None else block.nbytes

    def meeting(self, bounds: Bounds) -> list[tuple[Bounds, NDArray[Any]]]:
        """Blocks that have pixels within bounds, the newest last."""
        with self._lock:
            kept = list(self._kept.items())
        return [
            (place, block)
            for place, block in kept
            if all(
                a < stop and start < b for (a, b), (start, stop) in zip(bounds, place, strict=True)
            )
        ]


class WithRecent(LazyArray):
    """What is on disk of an output, and over it the tiles that were finished last.

    What was looked at last is kept, and the next look at the same place adds the tiles that came
    since: the disk is not read again with each refresh.

    Parameters
    ----------
    array : array-like
        What is on disk, in the order of a layer's axes.
    order : str
        These axes.
    recent : RecentTiles
        Blocks of the output.
    axes : str
        The output's axes; those of length 1 may be missing in ``order``.
    filled_by : object, optional
        Kept alive with this array: what puts blocks where they show.
    """

    def __init__(
        self,
        array: Any,
        order: str,
        recent: RecentTiles,
        axes: str,
        filled_by: object = None,
    ) -> None:
        super().__init__(array.shape, array.dtype)
        self._filled_by = filled_by
        self._array, self._recent = array, recent
        self._order, self._axes = order, axes
        self._last: tuple[Bounds, int, NDArray[Any]] | None = None

    @property
    def reads(self) -> tuple[Any, ...]:
        """What is on disk."""
        return (self._array,)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        # Asked first: what leaves them while the disk is read is there by then.
        n_put = self._recent.n_put
        parts = dict(zip(self._order, bounds, strict=True))
        wanted = tuple(parts.get(letter, (0, 1)) for letter in self._axes)
        recent = self._recent.meeting(wanted)
        pixels = self._read(bounds)
        gone = tuple(d for d, letter in enumerate(self._axes) if letter not in self._order)
        left = [letter for letter in self._axes if letter in self._order]
        for place, block in recent:
            here, there = [], []
            for (first, last), (start, stop) in zip(wanted, place, strict=True):
                low, high = max(first, start), min(last, stop)
                here.append(slice(low - first, high - first))
                there.append(slice(low - start, high - start))
            part = block[tuple(there)].squeeze(gone)
            target = tuple(here[self._axes.index(letter)] for letter in self._order)
            pixels[target] = part.transpose([left.index(letter) for letter in self._order])
        self._last = (bounds, n_put, pixels) if pixels.nbytes <= RECENT_BYTES else None
        return pixels

    def _read(self, bounds: Bounds) -> NDArray[Any]:
        """A copy of what was looked at last, or what is on disk."""
        last = self._last
        if last is not None:
            before, n_put, pixels = last
            if before == bounds and self._recent.has_all_since(n_put):
                return pixels.copy()
        return np.array(self._array[tuple(slice(*part) for part in bounds)])
