"""How long a run over many images still takes, by the pixels done so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from napari_tessera.prediction.pipeline import Progress


class Pace:
    """Pixels done and left, and the time that was spent on those done.

    Parameters
    ----------
    pixels : sequence of int
        Of each image, in turn.
    clock : callable
        Seconds.
    """

    def __init__(
        self, pixels: Sequence[int], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._pixels = pixels
        self._clock = clock
        self._left = float(sum(pixels))
        self._done = self._seconds = 0.0
        self._share = self._first = 0.0
        self._at = -1
        self._since = 0.0

    def note(self, at: int, tiles: Progress | None) -> None:
        """Take note of how far an image is, counted from 0; None: it is begun."""
        if at != self._at:
            self._at, self._since = at, self._clock()
            self._share = self._first = 0.0
        if tiles is None or not tiles.total:
            return
        share = tiles.done / tiles.total
        if not self._share and not tiles.pixels:
            # what an earlier run has done takes no time in this one
            self._first = share
        self._share = share

    def end(self, at: int) -> None:
        """Count an image as over, whatever came of it."""
        if at == self._at and self._share > self._first:
            self._done += self._pixels[at] * (self._share - self._first)
            self._seconds += self._clock() - self._since
        self._left -= self._pixels[at]
        self._share = self._first = 0.0
        self._at = -1

    def seconds_left(self) -> float | None:
        """For all images; None before anything is done."""
        done, seconds, left = self._done, self._seconds, self._left
        if self._at >= 0:
            pixels = self._pixels[self._at]
            done += pixels * (self._share - self._first)
            seconds += self._clock() - self._since
            left -= pixels * self._share
        return seconds * left / done if done > 0 else None
