"""Denoised tiles kept in memory, those looked at longest ago let go of first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import numpy as np
import psutil

from napari_tessera.writing import ImageRegionData

MEMORY_SHARE = 0.25
"""Share of the free memory that tiles may take unless somebody says otherwise."""

OVERHEAD = 2048
"""Bytes that a tile takes besides its pixels, roughly."""

_NOTHING: frozenset[int] = frozenset()


def default_budget() -> int:
    """Bytes that tiles may take: a quarter of the memory that is free now."""
    return int(psutil.virtual_memory().available * MEMORY_SHARE)


def tile_bytes(region: ImageRegionData) -> int:
    """Memory that a core takes, its input included."""
    given = region.additional_metadata.get("input")
    return region.data.nbytes + (0 if given is None else given.nbytes) + OVERHEAD


class TileCache:
    """Cores of tiles by what made them and their number. Thread-safe.

    A *set* is all tiles that one image gives with one choice of settings; its name is any text.
    Tiles are numbered over the grid of the whole image. What is on screen is never let go of.

    Parameters
    ----------
    budget : int
        Bytes that all tiles together may take.
    """

    def __init__(self, budget: int) -> None:
        self._lock = threading.Lock()
        self._budget = budget
        self._sizes: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._tiles: dict[str, dict[int, ImageRegionData]] = {}
        self._on_screen: dict[str, frozenset[int]] = {}
        self._used = 0

    @property
    def budget(self) -> int:
        """Bytes that all tiles together may take."""
        return self._budget

    @budget.setter
    def budget(self, n_bytes: int) -> None:
        with self._lock:
            self._budget = int(n_bytes)
            self._make_room()

    @property
    def used(self) -> int:
        """Bytes that the tiles take."""
        return self._used

    def __len__(self) -> int:
        return len(self._sizes)

    def put(self, name: str, number: int, region: ImageRegionData) -> None:
        """Keep a tile of a set, and let go of others where there is no room for all.

        Its pixels become its own: a core may be a view that keeps all of its tile alive.
        """
        given = region.additional_metadata.get("input")
        own = dict(region.additional_metadata)
        if given is not None:
            own["input"] = _owned(given)
        region = region._replace(data=_owned(region.data), additional_metadata=own)
        size = tile_bytes(region)
        with self._lock:
            self._used += size - self._sizes.pop((name, number), 0)
            self._sizes[name, number] = size
            self._tiles.setdefault(name, {})[number] = region
            self._make_room()

    def tiles(self, name: str) -> Mapping[int, ImageRegionData]:
        """The tiles of a set as they are now, by number."""
        with self._lock:
            return dict(self._tiles.get(name, {}))

    def get(self, name: str, number: int) -> ImageRegionData | None:
        """A tile; None where it is not there (any more)."""
        return self._tiles.get(name, {}).get(number)

    def show(self, on_screen: Mapping[str, Iterable[int]]) -> None:
        """Say which tiles of which sets are on screen now: these stay, and were looked at last."""
        with self._lock:
            self._on_screen = {name: frozenset(of) for name, of in on_screen.items()}
            for name, numbers in self._on_screen.items():
                for number in numbers & self._tiles.get(name, {}).keys():
                    self._sizes.move_to_end((name, number))
            self._make_room()

    def clear(self) -> None:
        """Let go of all tiles."""
        self.forget("")

    def forget(self, prefix: str) -> None:
        """Let go of all sets whose names begin so."""
        with self._lock:
            for key in [key for key in self._sizes if key[0].startswith(prefix)]:
                self._drop(key)
            for shown in [name for name in self._on_screen if name.startswith(prefix)]:
                del self._on_screen[shown]

    def _make_room(self) -> None:
        if self._used <= self._budget:
            return
        for key in list(self._sizes):
            if key[1] not in self._on_screen.get(key[0], _NOTHING):
                self._drop(key)
                if self._used <= self._budget:
                    return

    def _drop(self, key: tuple[str, int]) -> None:
        name, number = key
        self._used -= self._sizes.pop(key)
        tiles = self._tiles[name]
        del tiles[number]
        if not tiles:
            del self._tiles[name]


def _owned(pixels: np.ndarray) -> np.ndarray:
    """The pixels in memory of their own."""
    return pixels if pixels.base is None else pixels.copy()
