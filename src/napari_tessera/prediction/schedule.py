"""Which tile comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Lock

from napari_tessera.prediction.area import TileArea
from napari_tessera.region import Selection

WAITING, TAKEN, DONE = 0, 1, 2


class Schedule:
    """Hands out each tile once, in an order that may change at any time. Thread-safe.

    Keeps one byte per tile and no list of tiles.

    Parameters
    ----------
    tiles : TileArea
        The tiles.
    order : iterable of int, optional
        Tile numbers in the order wanted; read as far as needed. Tiles that it leaves out come
        after, in ascending order. Default: ascending, which is local to chunks.
    done : iterable of int, optional
        Tiles that need not be predicted (again).
    """

    def __init__(
        self,
        tiles: TileArea,
        *,
        order: Iterable[int] | None = None,
        done: Iterable[int] = (),
    ) -> None:
        self.tiles = tiles
        self._lock = Lock()
        self._state = bytearray(tiles.n_tiles)
        self._n_done = 0
        for index in done:
            if self._state[index] != DONE:
                self._state[index] = DONE
                self._n_done += 1
        everything = iter(range(tiles.n_tiles))
        self._order: Iterator[int] = everything if order is None else chain(order, everything)

    @property
    def n_done(self) -> int:
        """Number of tiles that are finished."""
        return self._n_done

    @property
    def n_tiles(self) -> int:
        """Number of tiles, finished or not."""
        return len(self._state)

    def done(self) -> list[int]:
        """Numbers of the finished tiles."""
        with self._lock:
            return [i for i, state in enumerate(self._state) if state == DONE]

    def done_mask(self) -> bytearray:
        """One byte per tile, 1 for those that are finished."""
        with self._lock:
            return bytearray(state == DONE for state in self._state)

    def next(self, n: int) -> list[int]:
        """Take up to ``n`` tiles; an empty list means that none is left."""
        with self._lock:
            taken: list[int] = []
            for index in self._order:
                if self._state[index] == WAITING:
                    self._state[index] = TAKEN
                    taken.append(index)
                    if len(taken) == n:
                        break
            return taken

    def prioritize(self, selection: Selection) -> None:
        """Move the waiting tiles that meet a selection of the output to the front."""
        self.reorder(self.tiles.meeting(selection))

    def reorder(self, first: Iterable[int]) -> None:
        """Put tiles in front, in the order given; the others keep theirs."""
        with self._lock:
            self._order = chain(first, self._order)

    def again(self, tiles: Iterable[int]) -> None:
        """Let finished tiles wait again, as what was made of them is lost."""
        with self._lock:
            lost = [index for index in tiles if self._state[index] == DONE]
            for index in lost:
                self._state[index] = WAITING
            self._n_done -= len(lost)
            self._order = chain(self._order, lost)

    def finish(self, index: int) -> None:
        """Mark a tile as finished."""
        with self._lock:
            if self._state[index] != DONE:
                self._state[index] = DONE
                self._n_done += 1
