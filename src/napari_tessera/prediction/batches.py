"""Tiles read ahead by several threads and predicted batch by batch, in the schedule's order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.blending import Blending
from napari_tessera.prediction.expected_reads import expected_reads
from napari_tessera.prediction.inference import StoppedError
from napari_tessera.prediction.joining import Cropping, Joining, Predicted
from napari_tessera.prediction.known import KnownCores
from napari_tessera.prediction.out_of_memory import Notices
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.read_ahead import ReadAhead
from napari_tessera.prediction.replicas import Predicting, at_models
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.prediction.tile_io import Origin, Tile, TileReader
from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.read_once import read_once
from napari_tessera.writing import ImageRegionData

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

READ, MODEL, WRITE = "read", "model", "write"


def _none() -> dict[str, float]:
    return {READ: 0.0, MODEL: 0.0, WRITE: 0.0}


@dataclass(frozen=True)
class _Begun:
    """A batch at the model.

    Parameters
    ----------
    cores : tuple of int
        Cores of its job.
    tiles : list of Tile
        Its tiles.
    wait : callable
        Waits for what is predicted of them.
    is_last : bool
        Whether it is the last batch of its job.
    """

    cores: tuple[int, ...]
    tiles: list[Tile]
    wait: Callable[[], list[NDArray[Any]]]
    is_last: bool


class _Flight:
    """Batches at the model, in the order in which they were begun."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.batches: deque[_Begun] = deque()

    @property
    def cores(self) -> tuple[int, ...]:
        """Numbers of the cores that they are for."""
        jobs = dict.fromkeys(batch.cores for batch in self.batches)
        return tuple(index for cores in jobs for index in cores)


@dataclass
class Clock:
    """Seconds by stage.

    Each stage adds from one thread but the readers, which may race: a lost addition only blurs
    a figure that people see.

    Parameters
    ----------
    seconds : dict
        In which each stage was busy.
    held : dict
        What the thread that the model runs in spent: at the model, waiting for tiles to be read,
        waiting for room in front of the writers. The largest is what the run waits for.
    """

    seconds: dict[str, float] = field(default_factory=_none)
    held: dict[str, float] = field(default_factory=_none)

    def add(self, stage: str, since: float) -> None:
        """Count the time since then as spent in a stage."""
        self.seconds[stage] += time.perf_counter() - since

    @contextmanager
    def holding(self, stage: str) -> Generator[None]:
        """Count what is done inside as what holds up the model's thread."""
        since = time.perf_counter()
        yield
        self.held[stage] += time.perf_counter() - since

    @contextmanager
    def busy(self, stage: str) -> Generator[None]:
        """Count what is done inside as busy in a stage, which holds up the model's thread."""
        with self.holding(stage):
            since = time.perf_counter()
            yield
            self.add(stage, since)


class Batches:
    """Predicts the tiles of a schedule.

    Parameters
    ----------
    plan, stack, model
        What is predicted.
    schedule : Schedule
        Which tile next. Its order is looked at before each batch: where it has changed, tiles that
        were taken and not begun go back, so that no further batch of the old order starts.
    cancel : threading.Event
        Once set, no further batch starts, and no further flip of the one at work; cores that then
        lack a flip, or a neighbour to be blended with, are left out.
    clock : Clock
        Is told how long each stage took.
    known : mapping of int to ImageRegionData, optional
        See `KnownCores`.
    notices : Notices, optional
        Is told where memory ran out and less is done at once.
    further : sequence of Model or ChannelModels
        The same model on other devices, which share the tiles.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        stack: ImageStack,
        model: Model | ChannelModels,
        schedule: Schedule,
        cancel: Event,
        clock: Clock,
        known: Mapping[int, ImageRegionData] | None = None,
        notices: Notices | None = None,
        further: Sequence[Model | ChannelModels] = (),
    ) -> None:
        origin = Origin.of(stack)
        self._plan = plan
        self._replicas = (model, *further)
        self._schedule = schedule
        self._cancel = cancel
        self._clock = clock
        self._notices = notices
        self._known = KnownCores(plan, origin, known)
        self._joining: Joining = (Cropping if plan.blending == "crop" else Blending)(plan, origin)
        self._reader = TileReader(plan, read_once(stack, expected_reads(plan)), model)
        self.at_work: tuple[int, ...] = ()
        """Tiles that are waited for or at the model: after an error, those that it is about."""

    def __iter__(self) -> Generator[tuple[int, ...] | list[Predicted]]:
        """Alternate between the numbers of the tiles about to run and their predicted cores.

        Tiles are read ahead by several threads and used in the order of the schedule, so that the
        number of threads never decides which tiles share a batch. Known cores come by themselves.
        """
        settings, cancel = self._plan.settings, self._cancel
        threads = settings.reader_threads
        with (
            ThreadPoolExecutor(threads, thread_name_prefix="tessera-read") as pool,
            at_models(self._plan, self._replicas, cancel, self._notices) as tile_model,
        ):
            ahead = ReadAhead(
                self._schedule,
                self._joining,
                self._known,
                self._read,
                pool,
                settings.batch_size,
                threads,
                tile_model.depth,
            )
            flight = _Flight(tile_model.depth)
            try:
                while not cancel.is_set():
                    if ahead.outdated:
                        yield from self._land(ahead, flight, 0)
                        ahead.undo()
                    passed = ahead.fill()
                    if passed:
                        yield passed
                    if ahead.job is not None:
                        yield from self._begin(ahead, tile_model, flight)
                        yield from self._land(ahead, flight, flight.depth - 1)
                    elif not passed and not flight.batches:
                        return
                    else:
                        yield from self._land(ahead, flight, 0)
                yield from self._land(ahead, flight, 0)
            except StoppedError:
                yield from self._land(ahead, flight, 0)
            finally:
                ahead.close()

    def _begin(
        self, ahead: ReadAhead, tile_model: Predicting, flight: _Flight
    ) -> Generator[tuple[int, ...] | list[Predicted]]:
        """Begin the batch whose turn it is, unless the run is stopped or the order changes."""
        assert ahead.job is not None
        cores = ahead.job.cores
        self.at_work = flight.cores + cores
        with self._clock.holding(READ):
            tiles = [future.result() for future in ahead.batch]
        # Reading may have taken its time.
        if self._cancel.is_set() or ahead.outdated:
            self.at_work = flight.cores
            return
        if ahead.is_new:
            yield self.at_work
        begin = tile_model.begin_whole if self._joining.whole else tile_model.begin
        with self._clock.busy(MODEL):
            begun = begin(tiles) if tiles else list
        flight.batches.append(_Begun(cores, tiles, begun, ahead.had()))

    def _land(
        self, ahead: ReadAhead, flight: _Flight, left: int
    ) -> Generator[tuple[int, ...] | list[Predicted]]:
        """Wait for the batches begun first, until no more than so many are left."""
        while len(flight.batches) > left:
            batch = flight.batches[0]
            with self._clock.busy(MODEL):
                try:
                    predicted = batch.wait()
                except StoppedError:
                    # Cores are made in order: what was begun behind it is left out as well.
                    flight.batches.clear()
                    raise
                for tile, made in zip(batch.tiles, predicted, strict=True):
                    self._joining.take(tile, made)
            flight.batches.popleft()
            self.at_work = flight.cores
            if batch.is_last:
                yield ahead.finish()

    def _read(self, number: int, specs: TileSpecs) -> Tile:
        since = time.perf_counter()
        tile = self._reader.read(number, specs)
        self._clock.add(READ, since)
        return tile
