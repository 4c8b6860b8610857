"""How far a run on a cluster is, from what its workers say of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.cluster.words import BLOCK
from napari_tessera.prediction.pipeline import Progress

if TYPE_CHECKING:
    from napari_tessera.prediction.cluster.crew import CrewState
    from napari_tessera.prediction.cluster.words import Outcome
    from napari_tessera.prediction.plan import PredictionPlan
    from napari_tessera.writing.stored.block_store import BlockStore

TELL_SECONDS = 0.25
"""How often it is told where nothing was finished."""

MOST_NOTICES = 20
"""Lines that are kept of what there is to know: a thousand workers may all say the same."""


class ClusterTally:
    """Counts what workers do, and tells it.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    tell : callable, optional
        Called with a `Progress`, from the thread that runs the run.
    before : int
        Tiles that are on disk before the store is opened.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        tell: Callable[[Progress], None] | None,
        *,
        before: int = 0,
    ) -> None:
        self._tell = tell
        self._before = before
        self.total = plan.total_tiles
        """Tiles of the plan."""
        self._pixels_per_tile = _pixels(plan) / max(1, self.total)
        self._began = time.perf_counter()
        self._told = 0.0
        self._store: BlockStore | None = None
        self._through: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._finished: list[int] = []
        self._failed: list[int] = []
        self._predicted = 0
        self._warm_up: float | None = None
        self._at_warm_up = 0.0
        self._measured = (0.0, 0.0)
        self._at_work: tuple[int, ...] = ()
        self._running: tuple[int, ...] = ()
        self._notices: dict[str, None] = {}
        self.absent_chunks = 0
        """Chunks that workers met that are not in the image's store."""

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.perf_counter() - self._began

    @property
    def notices(self) -> tuple[str, ...]:
        """What there is to know of how it runs."""
        return tuple(self._notices)

    @property
    def n_done(self) -> int:
        """Tiles that are on disk."""
        return self._before if self._store is None else self._store.n_tiles_done

    def opened(self, store: BlockStore) -> None:
        """Say where blocks are entered."""
        self._store = store
        self._through = store.done

    def note(self, *lines: str) -> None:
        """Take note of what there is to know."""
        for line in lines:
            if line and len(self._notices) < MOST_NOTICES:
                self._notices[line] = None

    def done(self, outcome: Outcome) -> None:
        """Take note of a block of the full size that is done."""
        result, store = outcome.result, self._store
        if result is None or store is None:
            return
        self._finished.extend(store.cut.owned_tiles(outcome.number))
        self._predicted += result.tiles
        self._through[outcome.number] = True
        self.absent_chunks += result.absent_chunks
        self.note(*result.notices)

    def failed(self, tiles: Sequence[int]) -> None:
        """Take note of tiles that will not come."""
        self._failed.extend(tiles)

    def tick(self, state: CrewState, *, now: bool = False) -> None:
        """Tell how far it is, where it is time."""
        if self._tell is None:
            return
        seconds = self.seconds
        if not now and not self._finished and seconds - self._told < TELL_SECONDS:
            return
        self._told = seconds
        self._measure(state, seconds)
        finished, self._finished = tuple(self._finished), []
        failed, self._failed = tuple(self._failed), []
        tiles, measured = self._measured
        self._tell(
            Progress(
                done=self.n_done,
                total=self.total,
                running=self._running,
                finished=finished,
                seconds=seconds,
                pixels=round(self._predicted * self._pixels_per_tile),
                stage_seconds={"read": 0.0, "model": 0.0, "write": 0.0},
                absent_chunks=self.absent_chunks,
                failed=failed,
                warm_up_seconds=self._warm_up,
                measured_tiles=round(tiles),
                measured_pixels=round(tiles * self._pixels_per_tile),
                measured_seconds=measured,
                notices=self.notices,
            )
        )

    def _measure(self, state: CrewState, seconds: float) -> None:
        """What is predicted by now, blocks that are at work counted in part."""
        store = self._store
        if store is None:
            return
        looks = {
            look.number: look
            for look in state.fit.values()
            if look.kind == BLOCK and look.number is not None and not self._through[look.number]
        }
        at_work = tuple(sorted(looks))
        if at_work != self._at_work:
            self._at_work = at_work
            self._running = tuple(tile for n in at_work for tile in store.cut.owned_tiles(n))
        part = sum(
            store.cut.n_owned(number) * look.tiles / look.total
            for number, look in looks.items()
            if look.total
        )
        predicted = self._predicted + part
        if self._warm_up is None:
            if predicted:
                self._warm_up, self._at_warm_up = seconds, predicted
        elif predicted - self._at_warm_up > self._measured[0]:
            self._measured = predicted - self._at_warm_up, seconds - self._warm_up


def _pixels(plan: PredictionPlan) -> float:
    return plan.output_bytes / np.dtype(plan.output_dtype).itemsize
