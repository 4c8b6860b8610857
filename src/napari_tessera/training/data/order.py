"""In which order patches are drawn: by chance, and yet so that few chunks are read for many."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

_KEPT_PASSES = 3
_KEPT_WINDOWS = 8


@dataclass(frozen=True)
class Window:
    """Patches that follow one another in the endless sequence of all passes.

    Parameters
    ----------
    of_pass : int
        Pass that they belong to.
    first : int
        Position of the first one in the endless sequence.
    indices : ndarray of int
        Index of the patch at each position.
    visits : tuple of ndarray of int
        Positions within the window of patches that lie in one part of the image, to be read
        together.
    """

    of_pass: int
    first: int
    indices: NDArray[np.int64]
    visits: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True)
class _Pass:
    """Visits of a pass in their order: which one, and where each window begins."""

    visits: NDArray[np.int64]
    ends: NDArray[np.int64]


class PatchOrder:
    """The order of the patches of each pass, a function of the seed alone.

    A pass has every index once. Each part of the image is *visited* several times in a pass, for
    some of its patches each time; the order of visits is random, and so is that of the patches of
    a *window*, which is a few visits. So a batch has patches from many places, while a reader
    decodes the chunks of a part once for all patches of a visit.

    Parameters
    ----------
    ranges : ndarray of int
        First index of each part and the one after its last, int64 of shape (parts, 2), covering
        0…n−1.
    seed : int
        Of the training.
    per_visit : int
        Patches of a visit, at most; 1 where parts are of no importance.
    visits_per_window : int
        Visits of a window.
    """

    def __init__(
        self, ranges: NDArray[np.int64], seed: int, per_visit: int, visits_per_window: int
    ) -> None:
        counts = ranges[:, 1] - ranges[:, 0]
        self.n_patches = int(counts.sum())
        """Patches of a pass."""
        self._ranges, self._seed = ranges, seed
        self._per_window = visits_per_window
        # a part's patches are dealt out evenly over its visits
        n_visits = -(-counts // per_visit)
        self._first_visit = np.concatenate([[0], n_visits.cumsum()])
        self._part = np.repeat(np.arange(len(counts)), n_visits)
        number = np.arange(len(self._part)) - self._first_visit[self._part]
        of = n_visits[self._part]
        self._start = number * counts[self._part] // np.maximum(of, 1)
        self._stop = (number + 1) * counts[self._part] // np.maximum(of, 1)
        self._lock = Lock()
        self._passes: OrderedDict[int, _Pass] = OrderedDict()
        self._windows: OrderedDict[tuple[int, int], Window] = OrderedDict()

    def window(self, position: int) -> Window:
        """The window that holds a position of the endless sequence; from any thread."""
        of_pass, within = divmod(position, self.n_patches)
        with self._lock:
            order = self._pass(of_pass)
            number = bisect_right(order.ends, within)
            key = (of_pass, number)
            if key not in self._windows:
                self._windows[key] = self._made(of_pass, number, order)
                while len(self._windows) > _KEPT_WINDOWS:
                    self._windows.popitem(last=False)
            self._windows.move_to_end(key)
            return self._windows[key]

    def _pass(self, of_pass: int) -> _Pass:
        if of_pass not in self._passes:
            visits = self._rng(1, of_pass).permutation(len(self._part))
            sizes = (self._stop - self._start)[visits]
            ends = sizes.cumsum()[self._per_window - 1 :: self._per_window]
            if not len(ends) or ends[-1] < self.n_patches:
                ends = np.append(ends, self.n_patches)
            self._passes[of_pass] = _Pass(visits, ends)
            while len(self._passes) > _KEPT_PASSES:
                self._passes.popitem(last=False)
        return self._passes[of_pass]

    def _made(self, of_pass: int, number: int, order: _Pass) -> Window:
        visits = order.visits[number * self._per_window : (number + 1) * self._per_window]
        indices, owners = [], []
        for owner, visit in enumerate(visits.tolist()):
            part = int(self._part[visit])
            first, stop = self._ranges[part].tolist()
            dealt = self._rng(2, of_pass, part).permutation(stop - first)
            own = dealt[self._start[visit] : self._stop[visit]] + first
            indices.append(own)
            owners.append(np.full(len(own), owner))
        mixed = self._rng(3, of_pass, number).permutation(sum(map(len, indices)))
        owner_of = np.concatenate(owners)[mixed]
        return Window(
            of_pass,
            of_pass * self.n_patches + (int(order.ends[number - 1]) if number else 0),
            np.concatenate(indices)[mixed],
            tuple(np.flatnonzero(owner_of == owner) for owner in range(len(visits))),
        )

    def _rng(self, *key: int) -> np.random.Generator:
        seeds = np.random.SeedSequence(self._seed, spawn_key=key)
        return np.random.Generator(np.random.PCG64(seeds))
