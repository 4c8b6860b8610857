"""Denoises what is looked at, in a thread, until something else is looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_tessera.models import ModelError
from napari_tessera.prediction import PlanError, Schedule, iter_predictions
from napari_tessera.prediction.checks import CheckWriter
from napari_tessera.prediction.order import visible_first
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.preview.pace import Pace
from napari_tessera.widgets.preview.plans import LayerWish, Planned, PreviewPlans
from napari_tessera.widgets.preview.tile_cache import OVERHEAD, TileCache
from napari_tessera.widgets.run_messages import describe_failure
from napari_tessera.widgets.speed import SpeedBook
from napari_tessera.widgets.view_region import selection_for

if TYPE_CHECKING:
    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.prediction.checks import CheckReadings

KEPT_CHECKS = 32
"""Settings whose readings are kept, to go back to them at once."""


@dataclass(frozen=True)
class EngineReport:
    """What happened since the last report, and how things stand.

    Parameters
    ----------
    finished : tuple of (str, int)
        Tiles that came: set of the cache, and number in the grid.
    planned : tuple of (LayerWish, Planned)
        What is shown of each layer of the wish at hand; empty before that is known.
    in_view, kept : int
        Tiles that meet the view, and those of them that there is memory for.
    waiting : int
        Tiles of these that are not there yet.
    problem : str
        Why nothing more comes; empty where it does.
    """

    finished: tuple[tuple[str, int], ...] = ()
    planned: tuple[tuple[LayerWish, Planned], ...] = ()
    in_view: int = 0
    kept: int = 0
    waiting: int = 0
    problem: str = ""


@dataclass
class _Part:
    """Tiles of one layer in view, the nearest to its middle first."""

    wish: LayerWish
    planned: Planned
    tiles: list[int]
    """By their number in the plan."""
    numbers: dict[int, int]
    """Number in the grid of the whole image, by number in the plan."""
    in_view: int


@dataclass
class _Told:
    """What the GUI thread has not been told yet."""

    finished: list[tuple[str, int]] = field(default_factory=list)
    planned: tuple[tuple[LayerWish, Planned], ...] = ()
    in_view: int = 0
    kept: int = 0
    waiting: int = 0
    problem: str = ""


class PreviewEngine:
    """Predicts the tiles of the newest wish, as far as the cache has not got them.

    `want`, `report` and `readings` never wait for a prediction; `work` belongs into a thread of
    its own.

    Parameters
    ----------
    cache : TileCache
        Where tiles go.
    models : ModelCache
        Has the models.
    speed : SpeedBook
        Where times of tiles are noted.
    """

    def __init__(self, cache: TileCache, models: ModelCache, speed: SpeedBook) -> None:
        self.cache = cache
        self.speed = speed
        self.plans = PreviewPlans(models)
        self._lock = threading.Lock()
        self._wish: Sequence[LayerWish] | None = None
        self._working = False
        self._keeps = True
        self._cancel = threading.Event()
        self._told = _Told()
        self._checks: OrderedDict[str, CheckWriter] = OrderedDict()

    @property
    def working(self) -> bool:
        """Whether `work` goes on, or is about to."""
        return self._working

    def want(self, wish: Sequence[LayerWish]) -> bool:
        """Take a wish instead of the one at hand.

        Returns
        -------
        bool
            Whether `work` has to be called: it does not go on.
        """
        with self._lock:
            self._wish = wish
            self._keeps = True
            self._cancel.set()
            begins = not self._working
            self._working = True
        return begins

    def stop(self) -> None:
        """End after the batch at work, which nobody waits for any more."""
        with self._lock:
            self._wish = None
            self._keeps = False
            self._cancel.set()
            rests = not self._working
        if rests:
            self._release()

    def report(self) -> EngineReport:
        """What happened since the last report."""
        with self._lock:
            told = self._told
            finished, told.finished = tuple(told.finished), []
            return EngineReport(
                finished, told.planned, told.in_view, told.kept, told.waiting, told.problem
            )

    def readings(self, name: str) -> CheckReadings | None:
        """What was read off the tiles of a set so far; None before the first."""
        writer = self._checks.get(name)
        return None if writer is None else writer.readings()

    def work(self) -> None:
        """Serve wishes until there is none."""
        try:
            self._serve_all()
        except BaseException:
            # else no later wish would have it called
            with self._lock:
                self._working = False
            raise
        if not self._keeps:
            self._release()

    def _serve_all(self) -> None:
        while (wish := self._next()) is not None:
            problem = ""
            try:
                self._serve(wish)
            except (PlanError, ModelError) as error:
                problem = str(error)
            except Exception as error:
                problem = self._described(wish, error)
            if problem:
                with self._lock:
                    self._told.problem = problem

    def _release(self) -> None:
        """Give the memory of a GPU back: a preview that is off holds none."""
        for _, planned in self._told.planned:
            planned.model.release()

    def _next(self) -> Sequence[LayerWish] | None:
        with self._lock:
            wish, self._wish = self._wish, None
            self._cancel = threading.Event()
            self._working = wish is not None
            return wish

    def _serve(self, wish: Sequence[LayerWish]) -> None:
        cancel = self._cancel
        parts = []
        for layer in wish:
            planned = self.plans.get(layer, lambda: not cancel.is_set())
            if planned is None:
                return
            parts.append((layer, planned))
        seen = list(self._seen(parts))
        self.cache.show({part.planned.name: part.numbers.values() for part in seen})
        wanted = [
            [i for i in part.tiles if self.cache.get(part.planned.name, part.numbers[i]) is None]
            for part in seen
        ]
        now = [planned.model for _, planned in parts]
        with self._lock:
            told = self._told
            before = [planned.model for _, planned in told.planned]
            told.planned = tuple(parts)
            told.in_view = sum(part.in_view for part in seen)
            told.kept = sum(len(part.tiles) for part in seen)
            told.waiting = sum(map(len, wanted))
            told.problem = ""
        for model in before:
            if all(model is not other for other in now):
                # of settings that were left it holds no memory of a GPU
                model.release()
        for part, tiles in zip(seen, wanted, strict=True):
            if tiles and not cancel.is_set():
                self._predict(part, tiles, cancel)

    def _seen(self, parts: Sequence[tuple[LayerWish, Planned]]) -> Iterator[_Part]:
        """Tiles in view, of each layer as many as there is memory for."""
        share = self.cache.budget // max(1, len(parts))
        for wish, planned in parts:
            plan = planned.plan
            selection = selection_for(planned.model, wish.selection)
            order = visible_first(plan.tiles, selection, wish.position)
            in_view = len(order)
            most = max(1, share // _tile_bytes(plan))
            tiles = [i for i, _ in zip(order, range(most), strict=False)]
            numbers = {i: i for i in tiles}
            if not plan.region.is_full:
                area = plan.tiles
                numbers = {i: area.grid_number(*area.position(i)) for i in tiles}
            yield _Part(wish, planned, tiles, numbers, in_view)

    def _predict(self, part: _Part, tiles: list[int], cancel: threading.Event) -> None:
        planned, name = part.planned, part.planned.name
        checks = self._checks.setdefault(name, CheckWriter())
        self._checks.move_to_end(name)
        while len(self._checks) > KEPT_CHECKS:
            self._checks.popitem(last=False)
        pace = Pace(planned.plan.settings.batch_size)
        schedule = Schedule(planned.plan.tiles, order=tiles, rest=False)
        for region in iter_predictions(
            planned.plan, part.wish.run.stack, planned.model, schedule=schedule, cancel=cancel
        ):
            pace.came()
            if not self._keeps:
                return
            number = part.numbers[region.additional_metadata["tile_index"]]
            self.cache.put(name, number, region)
            checks.write_batch(Path(), [region])
            with self._lock:
                self._told.finished.append((name, number))
                self._told.waiting -= 1
            self.speed.note(planned.plan, planned.model, pace.tiles, pace.seconds)

    def _described(self, wish: Sequence[LayerWish], error: Exception) -> str:
        run = wish[0].run
        for layer, planned in self._told.planned:
            if layer in wish:
                run = layer.run
                run.plan, run.model = planned.plan, planned.model
        return describe_failure(run, error)


def _tile_bytes(plan: PredictionPlan) -> int:
    """Memory that a core of full size takes, its input included."""
    layout = plan.layout
    given = layout.view_shape[1] if plan.input_channels is None else len(plan.input_channels)
    if "C" in layout.fold:
        given = 1
    made = plan.output_channels or layout.view_shape[1]
    step = [axis.step for axis in plan.patching.axes(0)]
    each = 4 * made + np.dtype(plan.input_dtype).itemsize * given
    return int(np.prod(step)) * each + OVERHEAD
