"""Which tile and batch size a model is fastest with, on its device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from napari_tessera.prediction.auto_batch import (
    LIVE_SECONDS,
    MOST_TILES,
    bytes_per_pixel,
    free_for,
)
from napari_tessera.prediction.auto_tiles import live_edges
from napari_tessera.prediction.cores import model_threads
from napari_tessera.prediction.geometry import Sizes
from napari_tessera.prediction.tuning.candidates import LARGE, Grid, grid_of, grids_to_try
from napari_tessera.prediction.tuning.stopping import Listener, Tell
from napari_tessera.prediction.tuning.timing import (
    in_turn,
    middle,
    wait_for,
)
from napari_tessera.prediction.turns import TURNS, turnable

if TYPE_CHECKING:
    from napari_tessera.models import Model, ModelGeometry

WORTH = 1.03
"""How many times as fast other tiles have to be before they are taken: less is noise."""

CPU_MEMORY, ACCELERATOR_MEMORY = 0.5, 0.9
"""Part of the free memory that a batch may take while it is measured."""

SECONDS = 8.0
"""How long a measuring takes, about."""

STILL_LIVE = 0.5
"""Seconds that a batch may take where its tiles are larger than automatic ones ever are."""

_SLOWEST = 0.4
"""Part of all the time that one run of a tile may take: larger tiles are left out."""

_TRIED = 0.4
"""Part of the time that goes into running each size once."""


@dataclass(frozen=True)
class Measured:
    """How fast one tile and batch size is.

    Parameters
    ----------
    patch_size, overlaps : tuple of int
        Tile size and total overlap along (Z)YX, in pixels.
    batch_size : int
        Tiles that go through the model at once.
    seconds : float
        Median of the times of a batch.
    pixels_per_second : float
        Pixels of cores.
    runs : int
        Times that were measured.
    """

    patch_size: tuple[int, ...]
    overlaps: tuple[int, ...]
    batch_size: int
    seconds: float
    pixels_per_second: float
    runs: int


@dataclass(frozen=True)
class Tuned:
    """What came of a measuring.

    Parameters
    ----------
    best : Measured
        The fastest; the sizes that were at hand already, where nothing is worth a change.
    before : Measured or None
        Those at hand.
    table : tuple of Measured
        All that were measured, from small tiles to large ones.
    left_out : tuple of tuple of int
        Tile sizes that were not measured, as memory or time is short for them.
    """

    best: Measured
    before: Measured | None
    table: tuple[Measured, ...]
    left_out: tuple[tuple[int, ...], ...] = ()

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Tile size of the fastest along (Z)YX, in pixels."""
        return self.best.patch_size

    @property
    def batch_size(self) -> int:
        """Tiles that go through the model at once, of the fastest."""
        return self.best.batch_size

    @property
    def pixels_per_second(self) -> float:
        """Pixels of cores, of the fastest."""
        return self.best.pixels_per_second

    @property
    def gain(self) -> float:
        """How many times as fast it is as what was at hand; 1 where nothing was."""
        before = self.before
        return 1.0 if before is None else self.pixels_per_second / before.pixels_per_second


def best_tiles(
    model: Model,
    spatial: Sequence[int] | None = None,
    *,
    samples: int = 1,
    overlaps: Sizes = "auto",
    tta: str = "none",
    geometry: ModelGeometry | None = None,
    at_hand: tuple[Sequence[int], int] | None = None,
    torch_threads: int | None = None,
    seconds: float = SECONDS,
    cancel: Event | None = None,
    progress: Tell | None = None,
    listener: Listener | None = None,
    measure: Callable[[Model, tuple[int, ...]], Callable[[], object]] | None = None,
) -> Tuned:
    """Measure which tiles a model is fastest with, in this thread.

    Counted are pixels of cores, so that overlap costs what it costs. Each size is run once, from
    small to large; what takes too much memory or time ends the larger ones. Then all are timed in
    turn, again and again. Batches are measured on accelerators only: on a CPU they bring nothing.

    Parameters
    ----------
    model : Model
        The model, on its device.
    spatial : sequence of int, optional
        Size of the image along (Z)YX, in pixels; by default tiles for any large image.
    samples : int
        Images of that size that a run is over: planes, channels, time points.
    overlaps : "auto", int or sequence of int
        Total overlap of neighbouring tiles.
    tta : str
        As of `plan_prediction`: flips and turns are so many runs of the model.
    geometry : ModelGeometry, optional
        What tiles have to suit; by default that of the model.
    at_hand : (sequence of int, int), optional
        Tile size and batch size that are used now. They are measured too, and stay where others
        are hardly faster.
    torch_threads : int, optional
        Threads of the model on a CPU; by default as `model_threads`, else those of this thread.
    seconds : float
        How long it may take, about. One run of the smallest tile is waited for.
    cancel : threading.Event, optional
        Looked at between two runs of the model.
    progress : callable, optional
        Called with a `MeasuringProgress`, in this thread.
    listener : Listener, optional
        In place of these two.
    measure : callable, optional
        Gives for a model and the shape NC(Z)YX of a batch what is timed; by default one run.

    Returns
    -------
    Tuned

    Raises
    ------
    MeasuringStoppedError
        If it was stopped.
    MemoryError, RuntimeError
        If even the smallest tile does not fit into the memory.
    Exception
        Whatever the model raises.
    """
    from napari_tessera.models.short_memory import give_back
    from napari_tessera.models.threads import own_threads

    heard = listener or Listener(cancel, progress)
    suits = geometry or model.geometry
    if tta != "none":
        suits = turnable(suits)
    edges = live_edges("ZYX"[-model.spatial_dims :], model.device.type)
    grids = grids_to_try(spatial, samples, overlaps, suits, edges)
    size = tuple(spatial) if spatial is not None else (LARGE,) * len(edges)
    own = at_hand and grid_of(at_hand[0], overlaps, size, samples, suits, edges)
    ways = {(grid, 1) for grid in grids}
    now = (own, min(at_hand[1], own.tiles)) if own and at_hand else None
    bench = _Bench(model, heard, seconds, measure or one_run)
    with own_threads(model_threads(model) if torch_threads is None else torch_threads):
        try:
            found = bench.run(sorted(ways - {now}, key=_size), now)
        finally:
            give_back(model.device)
    passes = 1 if tta == "none" else len(TURNS)
    table = tuple(
        Measured(
            grid.patch_size,
            grid.overlaps,
            batch,
            middle(times) * passes,
            grid.pixels_per_second(middle(times) * passes, batch),
            len(times),
        )
        for (grid, batch), times in sorted(found.items(), key=lambda item: _size(item[0]))
    )
    best = max(
        (one for one in table if one.seconds <= STILL_LIVE or _is_within(one.patch_size, edges)),
        key=lambda one: one.pixels_per_second,
        default=table[0],
    )
    before = None
    if now is not None:
        own_size = (now[0].patch_size, now[1])
        before = next((one for one in table if (one.patch_size, one.batch_size) == own_size), None)
    if before is not None and best.pixels_per_second < WORTH * before.pixels_per_second:
        best = before
    measured = {one.patch_size for one in table}
    left_out = tuple(grid.patch_size for grid in grids if grid.patch_size not in measured)
    return Tuned(best, before, table, left_out)


Way = tuple[Grid, int]
"""Tiles, and how many go together."""


class _Bench:
    """Runs a model with one size after another, within the memory and the time there is."""

    def __init__(
        self,
        model: Model,
        listener: Listener,
        seconds: float,
        measure: Callable[[Model, tuple[int, ...]], Callable[[], object]],
    ) -> None:
        self._model = model
        self._listener = listener
        self._seconds = seconds
        self._measure = measure
        self._began = time.perf_counter()
        share = CPU_MEMORY if model.device.type == "cpu" else ACCELERATOR_MEMORY
        free = free_for(model)
        per_pixel = bytes_per_pixel(model)
        self._most_pixels = float("inf") if free is None else free * share / per_pixel
        self._per_pixel = 0.0
        """Seconds that the last size took for each pixel."""
        self._is_warm = False
        self._short: Exception | None = None
        """What said last that memory is short."""

    def run(self, ways: Sequence[Way], now: Way | None) -> dict[Way, list[float]]:
        """Time what is at hand, which the others are compared with, and then these."""
        first: dict[Way, float] = {}
        if now is not None:
            self._try(now, first)
        self._once(ways, first)
        if not first:
            assert self._short is not None
            raise self._short
        if self._model.device.type != "cpu":
            fastest = sorted(first, key=partial(_speed, first), reverse=True)[:2]
            for way in fastest:
                self._batches(way[0], first)
        # the slowest cannot become the best: time is for those that may
        best = max(_speed(first, way) for way in first)
        kept = [way for way in first if way == now or _speed(first, way) > best / 2]
        left = max(self._seconds - (time.perf_counter() - self._began), 0.0)
        later = in_turn(
            {way: self._of(way) for way in kept},
            first,
            left,
            self._listener.part(1 - left / self._seconds, left / self._seconds),
            describe,
        )
        return {way: later.get(way, [first[way]]) for way in first}

    def _once(self, ways: Sequence[Way], first: dict[Way, float]) -> None:
        """Run each size, from small to large, until memory or time is short."""
        for way in ways:
            pixels = way[0].tile_pixels * way[1]
            # flips and turns come one after another: they need no more memory
            too_slow = 2 * self._per_pixel * pixels > _SLOWEST * self._seconds
            if first and (pixels > self._most_pixels or too_slow or self._used > _TRIED):
                return
            if not self._try(way, first):
                return

    def _batches(self, grid: Grid, first: dict[Way, float]) -> None:
        """Run two, four, … tiles together, as long as that stays live."""
        batch, took = 2, first.get((grid, 1), LIVE_SECONDS)
        while batch <= min(MOST_TILES, grid.tiles) and 2 * took <= LIVE_SECONDS:
            way = (grid, batch)
            fits = batch * grid.tile_pixels <= self._most_pixels
            if way not in first and not (fits and self._try(way, first)):
                return
            took = first[way]
            batch *= 2

    @property
    def _used(self) -> float:
        """Part of the time that is over."""
        return (time.perf_counter() - self._began) / self._seconds

    def _try(self, way: Way, first: dict[Way, float]) -> bool:
        """Time a second run, what comes first being slower; False where memory is short for it."""
        from napari_tessera.models.short_memory import give_back, is_out_of_memory, let_go

        self._listener.at(self._used if self._is_warm else 0.0, describe(way))
        try:
            do = self._of(way)
            since = time.perf_counter()
            do()
            seconds = time.perf_counter() - since
            if not self._is_warm:
                # what is done once for a model belongs to no tile
                self._is_warm, self._began = True, time.perf_counter()
            if seconds < _SLOWEST * self._seconds / 2:
                since = time.perf_counter()
                do()
                seconds = time.perf_counter() - since
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            let_go(error)
            self._short = error
            give_back(self._model.device)
            return False
        first[way] = seconds
        self._per_pixel = seconds / (way[0].tile_pixels * way[1])
        return True

    def _of(self, way: Way) -> Callable[[], object]:
        grid, batch = way
        return self._measure(self._model, (batch, self._model.in_channels or 1, *grid.patch_size))


def one_run(model: Model, shape: tuple[int, ...]) -> Callable[[], object]:
    """One run of a model on a batch that lies on its device already.

    Parameters
    ----------
    model : Model
        The model.
    shape : tuple of int
        NC(Z)YX.
    """
    import torch

    from napari_tessera.models.calling import random_batch

    batch = random_batch(shape).to(model.device)

    def run() -> None:
        with torch.no_grad():
            model(batch)
        wait_for(model.device)

    return run


def describe(way: Way) -> str:
    """Words for a way: ``"256 × 256"``, ``"256 × 256, 4 together"``."""
    size = " × ".join(map(str, way[0].patch_size))
    return size if way[1] == 1 else f"{size}, {way[1]} together"


def _size(way: Way) -> tuple[int, ...]:
    return (way[0].tile_pixels * way[1], way[1], *way[0].patch_size)


def _is_within(patch_size: Sequence[int], edges: Sequence[int]) -> bool:
    return all(size <= edge for size, edge in zip(patch_size, edges, strict=True))


def _speed(times: dict[Way, float], way: Way) -> float:
    return way[0].pixels_per_second(times[way], way[1])
