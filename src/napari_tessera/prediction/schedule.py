"""Which tile comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.area import TileArea
from napari_tessera.region import Selection

WAITING, TAKEN, DONE, SKIPPED = 0, 1, 2, 3

Numbers = Iterable[int] | NDArray[np.bool_]
"""Numbers of tiles, or a mask that has one value for each tile."""


class Schedule:
    """Hands out each tile once, in an order that may change at any time. Thread-safe.

    What `reorder` puts in front comes first, then ``order``, then all others in ascending order,
    which is local to chunks. Keeps one byte per tile and no list of tiles.

    Parameters
    ----------
    tiles : TileArea
        The tiles.
    order : iterable of int, optional
        Tile numbers in the order wanted; read as far as needed. Tiles that it leaves out come
        after, in ascending order.
    done : iterable of int, or numpy.ndarray of bool
        Tiles that need not be predicted (again).
    skipped : iterable of int, or numpy.ndarray of bool, optional
        Tiles that are not wanted, beside those that the area skips: they are never handed out and
        count nowhere.
    rest : bool
        Whether tiles are handed out that nobody put in front. If not, ``order`` is the first
        front, and the next `reorder` replaces it.
    """

    def __init__(
        self,
        tiles: TileArea,
        *,
        order: Iterable[int] | None = None,
        done: Numbers = (),
        skipped: Numbers | None = (),
        rest: bool = True,
    ) -> None:
        self.tiles = tiles
        self._lock = Lock()
        self._counting = Lock()
        self._state = bytearray(tiles.n_tiles)
        self._states: NDArray[np.uint8] = np.ndarray(tiles.n_tiles, np.uint8, self._state)
        self._states[_numbers(done)] = DONE
        for left_out in (skipped, tiles.skipped):
            if left_out is not None:
                self._states[_numbers(left_out)] = SKIPPED
        self._n_done = int(np.count_nonzero(self._states == DONE))
        self._n_wanted = tiles.n_tiles - int(np.count_nonzero(self._states == SKIPPED))
        self._rest = rest
        given = iter(order if order is not None else ())
        self._front: Iterator[int] = iter(()) if rest else given
        self._followed = self._front
        self._order: Iterator[int] = given if rest else iter(())
        self._changes = 0
        # No tile before this one waits.
        self._cursor = 0
        # Tiles at work that come from an iterator read once, and those of them that wait again.
        self._handed: set[int] = set()
        self._returned: dict[int, None] = {}

    @property
    def n_done(self) -> int:
        """Number of tiles that are finished."""
        return self._n_done

    @property
    def n_tiles(self) -> int:
        """Number of tiles, finished or not, skipped ones included."""
        return len(self._state)

    @property
    def n_wanted(self) -> int:
        """Number of tiles that are not skipped, finished or not."""
        return self._n_wanted

    @property
    def changes(self) -> int:
        """How often the order was changed. Never waits for other threads.

        Who takes tiles ahead of time gives them back when this has changed.
        """
        return self._changes

    def done(self) -> list[int]:
        """Numbers of the finished tiles."""
        with self._lock:
            found: list[int] = np.flatnonzero(self._states == DONE).tolist()
            return found

    def done_mask(self) -> bytearray:
        """One byte per tile, 1 for those that are finished."""
        with self._lock:
            return bytearray(self._states == DONE)

    def next(self, n: int) -> list[int]:
        """Take up to ``n`` tiles; an empty list means that none is left."""
        taken: list[int] = []
        if n < 1:
            return taken
        with self._lock:
            self._follow_front()
            for source, is_read_once in (
                (self._followed, not self._rest),
                (self._given_back(), True),
                (self._order, True),
            ):
                for index in source:
                    if self._state[index] != WAITING:
                        continue
                    self._state[index] = TAKEN
                    taken.append(index)
                    if is_read_once:
                        self._handed.add(index)
                    if len(taken) == n:
                        return taken
            while self._rest and (index := self._state.find(WAITING, self._cursor)) >= 0:
                self._state[index] = TAKEN
                self._cursor = index + 1
                taken.append(index)
                if len(taken) == n:
                    break
            return taken

    def _follow_front(self) -> None:
        """Go over to what was put in front last."""
        front = self._front
        if front is self._followed:
            return
        self._followed = front
        if not self._rest:
            # What an earlier front had handed out is wanted only where this one names it.
            self._handed.clear()
            self._returned.clear()

    def _given_back(self) -> Iterator[int]:
        while self._returned:
            index = next(iter(self._returned))
            del self._returned[index]
            yield index

    def prioritize(self, selection: Selection) -> None:
        """Move the waiting tiles that meet a selection of the output to the front."""
        self.reorder(self.tiles.meeting(selection))

    def reorder(self, first: Iterable[int]) -> None:
        """Put tiles in front, in the order given; the others keep theirs.

        Replaces what was put in front before. Never waits for a thread that takes tiles: what is
        given is read there, as far as it is needed.

        Parameters
        ----------
        first : iterable of int
            Numbers of tiles. One that has a method ``blocks``, which gives arrays of numbers
            instead, is read by them: of many tiles those that wait are found faster so.
        """
        blocks = getattr(first, "blocks", None)
        front = iter(first) if blocks is None else self._waiting(blocks())
        with self._counting:
            # Who sees the new count must find the new front.
            self._front = front
            self._changes += 1

    def _waiting(self, blocks: Iterable[NDArray[np.int64]]) -> Iterator[int]:
        waiting = (block[self._states[block] == WAITING].tolist() for block in blocks)
        return chain.from_iterable(waiting)

    def give_back(self, tiles: Iterable[int]) -> None:
        """Let tiles wait again that were taken and not begun; others stay as they are.

        They keep the place that they had in the order. (One that the order does not name any more
        comes in its place among the rest.)
        """
        with self._lock:
            self._follow_front()
            for index in tiles:
                if self._state[index] == TAKEN:
                    self._state[index] = WAITING
                    self._cursor = min(self._cursor, index)
                    if index in self._handed:
                        self._returned[index] = None
                self._handed.discard(index)

    def release(self) -> None:
        """Let all tiles wait again that were taken and not finished: nobody is at work on them."""
        with self._lock:
            taken = np.flatnonzero(self._states == TAKEN).tolist()
        self.give_back(taken)

    def again(self, tiles: Iterable[int]) -> None:
        """Let finished tiles wait again, as what was made of them is lost."""
        with self._lock:
            for index in tiles:
                if self._state[index] == DONE:
                    self._state[index] = WAITING
                    self._n_done -= 1
                    self._cursor = min(self._cursor, index)

    def finish(self, index: int) -> None:
        """Mark a tile as finished."""
        with self._lock:
            self._handed.discard(index)
            if self._state[index] in (WAITING, TAKEN):
                self._state[index] = DONE
                self._n_done += 1


def _numbers(tiles: Numbers) -> NDArray[Any]:
    """Something to index with: a mask as it is, or numbers."""
    if isinstance(tiles, np.ndarray):
        return tiles
    return np.fromiter(tiles, np.int64)
