"""Which tile comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.area import TileArea
from napari_tessera.prediction.tile_pages import TilePages
from napari_tessera.region import Selection

WAITING, TAKEN, DONE, SKIPPED = 0, 1, 2, 3

Numbers = Iterable[int] | NDArray[np.bool_]
"""Numbers of tiles, or a mask that has one value for each tile."""


class Schedule:
    """Hands out each tile once, in an order that may change at any time. Thread-safe.

    What `reorder` puts in front comes first, then ``order``, then all others in ascending order,
    which is local to chunks. Keeps no list of tiles, and a byte per tile only where neighbours
    differ: of 10⁸ tiles it takes two megabytes, and as little time at the end as at the start.

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
        self._states = TilePages(tiles.n_tiles, n_states=4)
        _put(self._states, done, DONE)
        if skipped is not None:
            _put(self._states, skipped, SKIPPED)
        for start, left_out in tiles.skipped_blocks():
            self._states.put_where(start, left_out, SKIPPED)
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
        return self._states.count(DONE)

    @property
    def n_tiles(self) -> int:
        """Number of tiles, finished or not, skipped ones included."""
        return len(self._states)

    @property
    def n_wanted(self) -> int:
        """Number of tiles that are not skipped, finished or not."""
        return len(self._states) - self._states.count(SKIPPED)

    @property
    def changes(self) -> int:
        """How often the order was changed. Never waits for other threads.

        Who takes tiles ahead of time gives them back when this has changed.
        """
        return self._changes

    def done(self) -> list[int]:
        """Numbers of the finished tiles."""
        with self._lock:
            return [tile for tiles in self._states.numbers(DONE) for tile in tiles.tolist()]

    def done_mask(self) -> bytearray:
        """One byte per tile, 1 for those that are finished."""
        with self._lock:
            return self._states.mask(DONE)

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
                    if self._states[index] != WAITING:
                        continue
                    self._states[index] = TAKEN
                    taken.append(index)
                    if is_read_once:
                        self._handed.add(index)
                    if len(taken) == n:
                        return taken
            while self._rest and (index := self._states.find_first(self._cursor)) >= 0:
                self._states[index] = TAKEN
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
        waiting = (block[self._states.at(block) == WAITING].tolist() for block in blocks)
        return chain.from_iterable(waiting)

    def give_back(self, tiles: Iterable[int]) -> None:
        """Let tiles wait again that were taken and not begun; others stay as they are.

        They keep the place that they had in the order. (One that the order does not name any more
        comes in its place among the rest.)
        """
        with self._lock:
            self._follow_front()
            for index in tiles:
                if self._states[index] == TAKEN:
                    self._states[index] = WAITING
                    self._cursor = min(self._cursor, index)
                    if index in self._handed:
                        self._returned[index] = None
                self._handed.discard(index)

    def release(self) -> None:
        """Let all tiles wait again that were taken and not finished: nobody is at work on them."""
        with self._lock:
            taken = list(self._states.numbers(TAKEN))
        for tiles in taken:
            self.give_back(tiles.tolist())

    def again(self, tiles: Iterable[int]) -> None:
        """Let finished tiles wait again, as what was made of them is lost."""
        with self._lock:
            for index in tiles:
                if self._states[index] == DONE:
                    self._states[index] = WAITING
                    self._cursor = min(self._cursor, index)

    def finish(self, index: int) -> None:
        """Mark a tile as finished."""
        with self._lock:
            self._handed.discard(index)
            if self._states[index] in (WAITING, TAKEN):
                self._states[index] = DONE


def _put(states: TilePages, tiles: Numbers, state: int) -> None:
    """Set the state of tiles given as a mask or by number."""
    if isinstance(tiles, np.ndarray) and tiles.dtype == np.bool_:
        states.put_where(0, tiles, state)
    elif isinstance(tiles, range) and tiles.step == 1:
        states.fill(tiles.start, tiles.stop, state)
    else:
        states.put(np.fromiter(tiles, np.int64), state)
