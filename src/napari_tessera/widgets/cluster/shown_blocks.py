"""Blocks that workers have finished, shown from afar: read back as far as they are looked at."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_tessera.region import Selection
    from napari_tessera.widgets.disk_view import DiskView
    from napari_tessera.writing.stored.block_cut import BlockCut

MOST_BYTES = 2**35
"""What of a result is read back that nobody looks at, so that it is there once somebody does."""

_PLANE = "YX"
_LOG = logging.getLogger(__name__)

Place = tuple[slice, ...]
Put = Callable[[Place, NDArray[Any]], None]


class ShownBlocks:
    """Reads finished blocks in a thread of its own, and puts them where they show.

    Workers write the smaller levels of an image when all of the full size is there. Until then
    somebody who looks at a whole plane sees every n-th pixel of what is on disk: of the planes in
    view at once, of others when there is nothing else to do.

    Parameters
    ----------
    cut : BlockCut
        The blocks.
    saved : DiskView
        The full size on disk, in the order of the output's axes.
    depth : int
        Planes of Z that are stored together.
    put : callable
        Shows a block: where it lies in what is saved, and its pixels. An object whose method it is
        is not kept alive by this one: with it the reading ends.
    news : callable
        Called after something that is in view was put.
    most_bytes : int
        As `MOST_BYTES`.
    """

    def __init__(
        self,
        cut: BlockCut,
        saved: DiskView,
        depth: int,
        put: Put,
        news: Callable[[], None],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._cut, self._saved, self._depth = cut, saved, depth
        self._changed = threading.Condition()
        self._put, self._news = self._weakly(put), news
        self._left = most_bytes
        self._view: Selection | None = None
        self._done: set[int] = set()
        self._whole: set[int] = set()
        """Blocks of which all is put."""
        self._planes: dict[int, set[tuple[int, ...]]] = {}
        """Planes of blocks in part put: their position along each other axis."""
        self._looked: set[int] = set()
        """Blocks that have put what is in view."""
        self._version = 0
        self._stopped = self._last = False
        self._thread = threading.Thread(target=self._work, name="tessera-blocks", daemon=True)
        self._thread.start()

    def add(self, numbers: Sequence[int]) -> None:
        """Take note of blocks that are on disk now."""
        with self._changed:
            self._done.update(numbers)
            self._version += 1
            self._changed.notify()

    def look_at(self, view: Selection | None) -> None:
        """Read first what is in view; None: nothing is."""
        with self._changed:
            if view != self._view:
                self._view = view
                self._looked = set()
                self._version += 1
                self._changed.notify()

    def end(self) -> None:
        """Add no more blocks: once those that are there are put, the thread ends."""
        with self._changed:
            self._last = True
            self._changed.notify()

    def stop(self) -> None:
        """Read no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self) -> None:
        """Wait for the thread, which `end` or `stop` lets end."""
        self._thread.join()

    def _weakly(self, put: Put) -> Callable[[], Put | None]:
        """A way to what shows blocks, which gives None once the object is gone it belongs to."""
        if isinstance(put, MethodType):
            return weakref.WeakMethod(put, lambda gone: self.stop())
        return lambda: put

    def _work(self) -> None:
        while True:
            with self._changed:
                version, view, looked = self._version, self._view, self._looked
                stopped, waiting = self._stopped, sorted(self._done - self._whole)
            if stopped or self._put() is None:
                return
            if self._round(version, view, looked, waiting):
                continue
            with self._changed:
                if self._version == version and not self._stopped:
                    if self._last:
                        return
                    self._changed.wait()

    def _round(
        self, version: int, view: Selection | None, looked: set[int], waiting: list[int]
    ) -> bool:
        """Put what is in view, then others, until something changes; gives whether it has."""
        for number in waiting if view is not None else ():
            if number in looked:
                continue
            seen = False
            for piece in self._pieces(number, view or {}):
                if self._is_over(version):
                    return True
                self._show(number, piece)
                seen = True
            looked.add(number)
            if seen:
                self._news()
        for number in waiting:
            for piece in self._pieces(number, {}):
                if self._is_over(version):
                    return True
                if self._left <= 0:
                    return False
                self._left -= self._show(number, piece)
            self._whole.add(number)
            self._planes.pop(number, None)
        return False

    def _is_over(self, version: int) -> bool:
        return self._version != version or self._stopped or self._put() is None

    def _show(self, number: int, piece: dict[str, range]) -> int:
        """Read a piece and put it; gives how many bytes it has."""
        axes = self._cut.held.axes
        place = tuple(slice(piece[letter].start, piece[letter].stop) for letter in axes)
        others = [piece[letter] for letter in axes if letter not in _PLANE]
        self._planes[number].update(product(*others))
        try:
            pixels = self._saved[place]
            if (put := self._put()) is not None:
                put(place, pixels)
        except Exception as error:
            # Missing from afar only; whoever looks at it closely is told, too.
            _LOG.warning("block %d is not shown from afar: %s", number, error)
        return prod(map(len, piece.values())) * self._saved.dtype.itemsize

    def _pieces(self, number: int, view: Selection) -> Iterator[dict[str, range]]:
        """What of a block is in view and not put: whole planes, as many as are stored together."""
        axes = self._cut.held.axes
        others = [letter for letter in axes if letter not in _PLANE]
        put = self._planes.setdefault(number, set())
        for stretches in self._cut.held_stretches(number):
            plane = {letter: range(*stretches[letter]) for letter in _PLANE}
            if any(not self._in_view(letter, part, view).size for letter, part in plane.items()):
                continue
            along = [self._in_view(letter, range(*stretches[letter]), view) for letter in others]
            for at in product(*(part.tolist() for part in along)):
                if at in put:
                    continue
                piece = {letter: range(i, i + 1) for letter, i in zip(others, at, strict=True)}
                if "Z" in piece:
                    where = others.index("Z")
                    piece["Z"] = self._together(at, where, along[where], put)
                yield {**piece, **plane}

    def _together(
        self,
        at: tuple[int, ...],
        where: int,
        wanted: NDArray[np.int64],
        put: set[tuple[int, ...]],
    ) -> range:
        """Planes of Z from one on that follow it among those wanted, and are stored with it."""
        first, known = at[where], set(wanted.tolist())
        stop = first + 1
        while stop in known and stop // self._depth == first // self._depth:
            if (*at[:where], stop, *at[where + 1 :]) in put:
                break
            stop += 1
        return range(first, stop)

    def _in_view(self, letter: str, part: range, view: Selection) -> NDArray[np.int64]:
        """Positions of a stretch whose index a selection of the output names."""
        positions = np.arange(part.start, part.stop)
        wanted = view.get(letter)
        if wanted is None:
            return positions
        held = self._cut.held
        chosen = np.asarray(held.along(letter))[part.start : part.stop]
        if isinstance(wanted, slice):
            start, stop, _ = wanted.indices(held.shape[held.axes.index(letter)])
            return positions[(chosen >= start) & (chosen < stop)]
        return positions[np.isin(chosen, wanted)]
