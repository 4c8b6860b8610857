"""Which tiles of an image came."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Arrivals:
    """Remembers tiles; of numbered ones a byte each, however many there are.

    Parameters
    ----------
    n_tiles : int
        Number of tiles that come.
    numbers : int, optional
        Tiles are called by one of so many numbers, from 0; default: by anything.
    """

    def __init__(self, n_tiles: int, numbers: int | None = None) -> None:
        self.n_tiles = n_tiles
        self._numbered = None if numbers is None else bytearray(numbers)
        self._named: set[Hashable] = set()
        self._count = 0

    @property
    def complete(self) -> bool:
        """Whether all came."""
        return self._count >= self.n_tiles

    def __len__(self) -> int:
        return self._count

    def __contains__(self, tile: Hashable) -> bool:
        if self._numbered is None:
            return tile in self._named
        return isinstance(tile, int) and bool(self._numbered[tile])

    def add(self, tile: Hashable) -> None:
        """Note that a tile came."""
        if tile in self:
            return
        if self._numbered is None:
            self._named.add(tile)
        elif isinstance(tile, int):
            self._numbered[tile] = 1
        self._count += 1

    def update(self, tiles: Iterable[Hashable]) -> None:
        """Note that several came."""
        for tile in tiles:
            self.add(tile)
