"""Patches read, ahead of when they are needed, and other ones where pixels are not finite."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.training.data.images import Images, Pair
from napari_tessera.training.data.order import PatchOrder, Window
from napari_tessera.training.data.places import TrainingPlaces
from napari_tessera.training.errors import TrainingError

ATTEMPTS = 24
_SAME_REGION = 3
_KEPT_WINDOWS = 3


class PatchReader(Protocol):
    """Gives patches by their position in the endless sequence."""

    def read(self, positions: range) -> list[Pair]:
        """Patches at some positions; from any thread."""
        ...

    def close(self) -> None:
        """End what goes on."""
        ...


class Drawn:
    """Reads single patches of the training part.

    A patch with pixels that are not finite numbers is never used: the next attempt draws another
    one, at first out of the same region, then anywhere. So which patch it is remains a function of
    seed, pass and index.

    Parameters
    ----------
    images : Images
        What is read.
    places : TrainingPlaces
        Where patches lie.
    patch : tuple of int
        Their size along (Z)YX.
    """

    def __init__(self, images: Images, places: TrainingPlaces, patch: tuple[int, ...]) -> None:
        self.images, self.patch = images, patch
        self._places = places

    def pair(self, images: Images, index: int, of_pass: int) -> Pair:
        """Patch ``index`` of a pass, read from `images`.

        Raises
        ------
        TrainingError
            If 24 patches in a row have pixels that are not finite.
        """
        for attempt in range(ATTEMPTS):
            # a prime, so that attempts of neighbours go different ways
            at = index + max(0, attempt - _SAME_REGION) * 7919
            place = self._places.place(at % self._places.n_patches, of_pass, attempt)
            pair = images.read(place.sample, place.coords, self.patch)
            if all(is_finite(pixels) for pixels in pair if pixels is not None):
                return pair
        where = images.where(place.sample, place.coords)
        raise TrainingError(
            f"{ATTEMPTS} patches in a row have pixels that are NaN or infinite, the last one at "
            f"{where}; replace them in the image, or give a mask of what is whole",
            "image",
        )


class InMemory:
    """Patches of images that are in memory, cut out when they are asked for.

    Parameters
    ----------
    drawn : Drawn
        Gives single patches.
    order : PatchOrder
        Which patch has which position.
    """

    def __init__(self, drawn: Drawn, order: PatchOrder) -> None:
        self._drawn, self._order = drawn, order

    def read(self, positions: range) -> list[Pair]:
        """Patches at some positions."""
        pairs = []
        for position in positions:
            window = self._order.window(position)
            index = int(window.indices[position - window.first])
            pairs.append(self._drawn.pair(self._drawn.images, index, window.of_pass))
        return pairs

    def close(self) -> None:
        """Nothing goes on."""


class Streaming:
    """Patches of images that stay where they are, read by threads a window ahead.

    At most three windows of patches are kept, and each thread keeps the chunks of one visit.

    Parameters
    ----------
    drawn, order
        As for `InMemory`.
    threads : int
        Threads that read.
    """

    def __init__(self, drawn: Drawn, order: PatchOrder, threads: int) -> None:
        self._drawn, self._order = drawn, order
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tessera-patches")
        self._lock = Lock()
        self._windows: OrderedDict[int, _Reading] = OrderedDict()
        self._closed = False

    def read(self, positions: range) -> list[Pair]:
        """Patches at some positions; the window after the last of them is begun.

        Raises
        ------
        TrainingError
            After `close`, and as `Drawn.pair`.
        StackReadError
            If pixels cannot be read.
        """
        reading = [self._reading(position) for position in positions]
        last = reading[-1].window
        self._reading(last.first + len(last.indices))
        return [
            of.pair(position - of.window.first)
            for of, position in zip(reading, positions, strict=True)
        ]

    def close(self) -> None:
        """End the threads, as soon as the patch that each of them reads is there."""
        with self._lock:
            self._closed = True
            self._windows.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _reading(self, position: int) -> _Reading:
        window = self._order.window(position)
        with self._lock:
            if self._closed:
                raise TrainingError("the images of this training are closed; prepare it again")
            reading = self._windows.get(window.first)
            if reading is None:
                reading = self._windows[window.first] = _Reading(window, self._drawn, self._pool)
                while len(self._windows) > _KEPT_WINDOWS:
                    # not cancelled: another thread may wait for it
                    self._windows.popitem(last=False)
            self._windows.move_to_end(window.first)
            return reading


class _Reading:
    """A window that is being read, a visit in each future."""

    def __init__(self, window: Window, drawn: Drawn, pool: ThreadPoolExecutor) -> None:
        self.window = window
        self._drawn = drawn
        self._visit = np.zeros(len(window.indices), np.int64)
        self._slot = np.zeros(len(window.indices), np.int64)
        self._futures: list[Future[list[Pair]]] = []
        for number, positions in enumerate(window.visits):
            self._visit[positions] = number
            self._slot[positions] = np.arange(len(positions))
            self._futures.append(pool.submit(self._read, positions))

    def pair(self, at: int) -> Pair:
        """The patch at a position within the window; what reading raised."""
        return self._futures[int(self._visit[at])].result()[int(self._slot[at])]

    def _read(self, positions: NDArray[np.int64]) -> list[Pair]:
        once = self._drawn.images.once()
        return [
            self._drawn.pair(once, int(self.window.indices[at]), self.window.of_pass)
            for at in positions
        ]


def is_finite(pixels: NDArray[np.generic]) -> bool:
    """Whether all pixels are finite numbers, as float32 as well."""
    if pixels.dtype.kind != "f":
        return True
    return bool((np.abs(pixels) <= np.finfo(np.float32).max).all())


def broken_pixels(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Pixels that are not finite as float32."""
    with np.errstate(invalid="ignore"):
        broken: NDArray[np.bool_] = ~(np.abs(pixels) <= np.finfo(np.float32).max)
    return broken


def read_all(
    images: Images, places: Sequence[tuple[int, tuple[int, ...]]], patch: tuple[int, ...]
) -> list[Pair]:
    """Patches at given places, in that order, but for those with pixels that are not finite."""
    once = images.once()
    # read as they lie, so that chunks are decoded once
    found = {place: once.read(*place, patch) for place in sorted(set(places))}
    pairs = (found[place] for place in places)
    return [
        pair for pair in pairs if all(is_finite(pixels) for pixels in pair if pixels is not None)
    ]
