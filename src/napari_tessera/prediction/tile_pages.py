"""A small number for each tile, in little memory where neighbours have the same one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PAGE = 512
"""Tiles that are kept together. Small, so that the edge of a mask, which every row of tiles has,
costs little."""

PAGES_AT_ONCE = 2048
"""Pages that are looked through together."""

NO_TILE = 255
"""What stands behind the last tile."""


class TilePages:
    """States of tiles, 0 at first: a page of tiles takes room only while they differ.

    A table says for each page where its tiles stand. The first rows it may name have one state
    each and serve all pages of that state.

    Parameters
    ----------
    n_tiles : int
        Number of tiles.
    n_states : int
        States are 0…n_states−1.
    """

    def __init__(self, n_tiles: int, n_states: int) -> None:
        self._n = n_tiles
        self._n_states = n_states
        n_pages = -(-n_tiles // PAGE)
        # Zeros that nobody has written to take no memory.
        self._row = np.zeros(n_pages, np.int32)
        self._rows = np.repeat(np.arange(n_states, dtype=np.uint8)[:, None], PAGE, axis=1)
        self._free: list[int] = []
        # Tiles of state 0 that are not there any more, page by page: those that are can be found.
        self._gone = np.zeros(n_pages, np.int16)
        self._counts = [0] * n_states
        self._counts[0] = n_tiles

    def __len__(self) -> int:
        """Number of tiles."""
        return self._n

    @property
    def n_mixed(self) -> int:
        """Number of pages whose tiles differ, or may."""
        return len(self._rows) - self._n_states - len(self._free)

    def count(self, state: int) -> int:
        """Number of tiles in a state."""
        return self._counts[state]

    def __getitem__(self, tile: int) -> int:
        """State of a tile; IndexError outside 0…n_tiles−1."""
        page, at = self._place(tile)
        return int(self._rows[self._row[page], at])

    def __setitem__(self, tile: int, state: int) -> None:
        """Set the state of a tile; IndexError outside 0…n_tiles−1."""
        page, at = self._place(tile)
        row = int(self._row[page])
        if row < self._n_states:
            self._write(page, at, state)
            return
        # Each tile of a run comes here twice: no array is made for it.
        before = int(self._rows[row, at])
        if before == state:
            return
        self._rows[row, at] = state
        self._counts[before] -= 1
        self._counts[state] += 1
        self._gone[page] += int(before == 0) - int(state == 0)
        self._join(page, row, state)

    def at(self, tiles: NDArray[np.int64]) -> NDArray[np.uint8]:
        """States of some tiles, which are all there are."""
        found: NDArray[np.uint8] = self._rows[self._row[tiles // PAGE], tiles % PAGE]
        return found

    def put(self, tiles: NDArray[np.int64], state: int) -> None:
        """Set the state of some tiles, in any order; IndexError if one is not there."""
        if not tiles.size:
            return
        tiles = np.unique(tiles)
        self._place(int(tiles[0]))
        self._place(int(tiles[-1]))
        pages, firsts = np.unique(tiles // PAGE, return_index=True)
        for page, some in zip(pages.tolist(), np.split(tiles % PAGE, firsts[1:]), strict=True):
            self._write(page, some, state)

    def put_where(self, start: int, chosen: NDArray[np.bool_], state: int) -> None:
        """Set the state of those tiles from ``start`` on that a mask chooses."""
        stop = start + chosen.size
        first = min(-(-start // PAGE) * PAGE, stop)
        last = max(stop // PAGE * PAGE, first)
        for begin, end in ((start, first), (last, stop)):
            self.put(begin + np.flatnonzero(chosen[begin - start : end - start]), state)
        whole = chosen[first - start : last - start].reshape(-1, PAGE)
        pages = np.arange(first // PAGE, first // PAGE + len(whole))
        full = whole.all(axis=1)
        self._fill(pages[full], state)
        for page in pages[whole.any(axis=1) & ~full].tolist():
            self._write(page, whole[page - first // PAGE], state)

    def fill(self, start: int, stop: int, state: int) -> None:
        """Set the state of all tiles start…stop−1."""
        first, last = -(-start // PAGE), stop // PAGE
        if first > last:
            self._write(last, slice(start % PAGE, stop % PAGE), state)
            return
        if start % PAGE:
            self._write(first - 1, slice(start % PAGE, None), state)
        self._fill(np.arange(first, last), state)
        if stop % PAGE:
            self._write(last, slice(None, stop % PAGE), state)

    def find_first(self, start: int) -> int:
        """The first tile from ``start`` on whose state is 0; −1 where there is none."""
        if start >= self._n:
            return -1
        page, at = divmod(start, PAGE)
        found = self._find_in(page, at)
        if found < 0:
            left = self._gone[page + 1 :] < PAGE
            if left.size and left[ahead := int(left.argmax())]:
                found = self._find_in(page + 1 + ahead, 0)
        return found

    def _find_in(self, page: int, at: int) -> int:
        row = int(self._row[page])
        found = at if row == 0 else self._rows[row].tobytes().find(0, at)
        tile = page * PAGE + found
        return tile if found >= 0 and tile < self._n else -1

    def numbers(self, state: int) -> Iterator[NDArray[np.int64]]:
        """Numbers of the tiles in a state, ascending, in arrays."""
        has = (self._row == state) | (self._row >= self._n_states)
        pages = np.flatnonzero(has)
        for i in range(0, len(pages), PAGES_AT_ONCE):
            some = pages[i : i + PAGES_AT_ONCE]
            at, within = np.nonzero(self._rows[self._row[some]] == state)
            tiles = some[at] * PAGE + within
            yield tiles[tiles < self._n]

    def mask(self, state: int) -> bytearray:
        """One byte per tile, 1 for those in a state."""
        mask = bytearray(self._n)
        seen = np.frombuffer(mask, np.uint8)
        for i in range(0, len(self._row), PAGES_AT_ONCE):
            part = self._rows[self._row[i : i + PAGES_AT_ONCE]].ravel() == state
            begin = i * PAGE
            seen[begin : begin + part.size] = part[: self._n - begin]
        return mask

    def _place(self, tile: int) -> tuple[int, int]:
        if not 0 <= tile < self._n:
            raise IndexError(f"tile {tile} is outside 0…{self._n - 1}")
        return divmod(int(tile), PAGE)

    def _size(self, page: int) -> int:
        """Number of tiles in a page: the last one may have fewer."""
        return min(PAGE, self._n - page * PAGE)

    def _write(
        self, page: int, at: int | slice | NDArray[np.int64] | NDArray[np.bool_], state: int
    ) -> None:
        """Set the state of some tiles of a page, with room of its own only while they differ."""
        row, size = int(self._row[page]), self._size(page)
        if row == state:
            return
        if row < self._n_states:
            row = self._row[page] = self._room(row, size)
        tiles = self._rows[row][:size]
        before = np.bincount(np.atleast_1d(tiles[at]), minlength=self._n_states)
        for other, n in enumerate(before.tolist()):
            self._counts[other] -= n
            self._counts[state] += n
        tiles[at] = state
        zeros = int(before.sum()) if state == 0 else 0
        self._gone[page] += int(before[0]) - zeros
        self._join(page, row, state)

    def _join(self, page: int, row: int, state: int) -> None:
        """Give the room of a page back where all of its tiles have come to one state."""
        if self._rows[row].tobytes().count(state, 0, self._size(page)) == self._size(page):
            self._row[page] = state
            self._free.append(row)
            self._gone[page] = 0 if state == 0 else PAGE

    def _fill(self, pages: NDArray[np.int64], state: int) -> None:
        """Set the state of all tiles of some pages."""
        for i in range(0, len(pages), PAGES_AT_ONCE):
            some = pages[i : i + PAGES_AT_ONCE]
            rows = self._row[some]
            # of those that differ the room is free again
            mixed = rows >= self._n_states
            before = np.bincount(self._rows[rows[mixed]].ravel(), minlength=NO_TILE)
            before = before[: self._n_states] + PAGE * np.bincount(
                rows[~mixed], minlength=self._n_states
            )
            self._free += rows[mixed].tolist()
            self._row[some] = state
            self._gone[some] = 0 if state == 0 else PAGE
            for other, n in enumerate(before.tolist()):
                self._counts[other] -= n
                self._counts[state] += n

    def _room(self, state: int, size: int) -> int:
        """A row of its own for a page whose tiles all have one state."""
        if not self._free:
            n = len(self._rows)
            more = np.full((max(16, n // 4), PAGE), NO_TILE, np.uint8)
            self._rows = np.concatenate([self._rows, more])
            self._free = list(range(len(self._rows) - 1, n - 1, -1))
        row = self._free.pop()
        self._rows[row, :size], self._rows[row, size:] = state, NO_TILE
        return row
