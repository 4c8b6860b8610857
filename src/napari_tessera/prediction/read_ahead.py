"""Tiles taken off a schedule and read ahead, and taken back where the order changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.joining import Job, Joining, Predicted
from napari_tessera.prediction.known import KnownCores
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.prediction.tile_io import Tile

PREFETCH = 2
"""Batches read ahead for each reader thread, and for each batch at the model at once."""

LEAST = 4
"""Batches read ahead at least."""

PASSED = 64
"""Known cores that are passed on together at most, so that a change of order is seen."""


@dataclass
class _Reading:
    """A job whose tiles are being read, batch by batch."""

    job: Job
    batches: deque[list[tuple[int, Future[Tile]]]]
    begun: bool = False


class ReadAhead:
    """Takes tiles off a schedule, has them read, and gives back those that are not begun.

    Used in one thread; tiles are read in others.

    Parameters
    ----------
    schedule : Schedule
        Which tile next.
    joining : Joining
        Decides what has to be read for them.
    known : KnownCores
        Cores for which nothing has to be read.
    read : callable
        Reads a tile.
    pool : ThreadPoolExecutor
        Where.
    size : int
        Tiles of a batch.
    threads : int
        Threads of the pool.
    depth : int
        Batches that are at the model at once.
    """

    def __init__(
        self,
        schedule: Schedule,
        joining: Joining,
        known: KnownCores,
        read: Callable[[int, TileSpecs], Tile],
        pool: ThreadPoolExecutor,
        size: int,
        threads: int,
        depth: int = 1,
    ) -> None:
        self._schedule = schedule
        self._joining = joining
        self._known = known
        self._read = read
        self._pool = pool
        self._size = size
        self._most = max(PREFETCH * threads, PREFETCH * depth, LEAST)
        self._readings: deque[_Reading] = deque()
        self._begun: deque[Job] = deque()
        self._spare: dict[int, Future[Tile]] = {}
        self._changes = schedule.changes

    @property
    def outdated(self) -> bool:
        """Whether the order has changed since tiles were taken."""
        return self._schedule.changes != self._changes

    @property
    def job(self) -> Job | None:
        """The job whose turn it is to begin, or to go on; None where no tile is left."""
        return self._readings[0].job if self._readings else None

    @property
    def batch(self) -> list[Future[Tile]]:
        """The batch of its tiles whose turn it is; empty where all of them were had."""
        batches = self._readings[0].batches
        return [future for _, future in batches[0]] if batches else []

    def fill(self) -> list[Predicted]:
        """Take tiles and begin to read them, as many as may be ahead, once half of these are left.

        Returns
        -------
        list of Predicted
            Known cores that it came upon. Where there are such it may go on.
        """
        passed: list[Predicted] = []
        ahead = self._ahead
        if 2 * ahead > self._most:
            # Several at a time: each time that readers are woken takes longer than a small tile.
            return passed
        while ahead < self._most:
            indices = self._take(passed)
            if indices:
                job = self._joining.prepare(indices)
                reads = [(number, self._begin(number, specs)) for number, specs in job.missing]
                starts = range(0, len(reads), self._size)
                batches = deque(reads[at : at + self._size] for at in starts)
                self._readings.append(_Reading(job, batches))
                ahead = self._ahead
            if passed or not indices:
                break
        self._spare.clear()
        return passed

    @property
    def _ahead(self) -> int:
        """Batches that wait for their turn."""
        # A job whose tiles are all kept already reads nothing, and counts all the same.
        return sum(max(1, len(reading.batches)) for reading in self._readings)

    def _take(self, passed: list[Predicted]) -> list[int]:
        """Take a batch of tiles that are not known; those that are go into ``passed``."""
        wanted: list[int] = []
        while len(passed) < PASSED and (taken := self._schedule.next(self._size - len(wanted))):
            for index in taken:
                core = self._known.get(index)
                if core is None:
                    wanted.append(index)
                else:
                    passed.append(core)
        return wanted

    def _begin(self, number: int, specs: TileSpecs) -> Future[Tile]:
        read = self._spare.pop(number, None)
        return self._pool.submit(self._read, number, specs) if read is None else read

    @property
    def is_new(self) -> bool:
        """Whether that is the first of its job."""
        return not self._readings[0].begun

    def had(self) -> bool:
        """Take off the batch whose turn it was.

        Returns
        -------
        bool
            Whether it was the last one of its job, which is then to be finished. A job of which
            nothing is read has one empty batch.
        """
        reading = self._readings[0]
        reading.begun = True
        if reading.batches:
            reading.batches.popleft()
        if reading.batches:
            return False
        self._begun.append(self._readings.popleft().job)
        return True

    def finish(self) -> list[Predicted]:
        """Make the cores of the job of which all batches were taken off first."""
        made = self._joining.finish(self._begun[0])
        self._begun.popleft()
        return made

    def undo(self) -> None:
        """Give all tiles back, the job at hand included; what is read is kept until `fill`.

        Jobs of which all batches were taken off must be finished.
        """
        self._changes = self._schedule.changes
        self._joining.undo()
        self._schedule.give_back([i for reading in self._readings for i in reading.job.cores])
        self._spare = self._let_go()

    def close(self) -> None:
        """Have nothing read that is not begun yet."""
        self._let_go()

    def _let_go(self) -> dict[int, Future[Tile]]:
        """Drop the readings; gives what is read, or being read."""
        begun = {}
        for reading in self._readings:
            for batch in reading.batches:
                begun.update({n: future for n, future in batch if not future.cancel()})
        self._readings.clear()
        return begun
