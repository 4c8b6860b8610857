"""Smaller levels beside an output on disk, while its own are not complete."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.widgets.disk_room import room_for_levels
from napari_tessera.widgets.disk_view import DiskView, as_displayed
from napari_tessera.widgets.lazy_array import LazyArray
from napari_tessera.widgets.live_levels import levels_within
from napari_tessera.widgets.recent_tiles import RECENT_BYTES, RecentTiles, WithRecent
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing import RunInfo, to_dtype

LEVELS_BYTES = 2**28
"""Most that they take in memory; the rest is in temporary files."""

_LOG = logging.getLogger(__name__)


class LevelsBeside:
    """Every n-th pixel of an output, put there tile by tile as it is written to disk.

    A level on disk is written when all below it is there. These show each tile at once, those that
    an earlier session finished too: they are read back in a thread of its own.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    held : Region
        What is on disk.
    dtype : numpy.dtype
        Its data type.
    colours : Colours, optional
        How rgb is made, for an output shown in colours.
    path : pathlib.Path
        The store, for how much room is left beside it.
    run : RunInfo, optional
        The run that is begun, or resumed from an earlier session. Without, whatever comes is put
        there by `fill`.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        held: Region,
        dtype: np.dtype[Any],
        colours: Colours | None,
        path: Path,
        run: RunInfo | None = None,
    ) -> None:
        self._plan, self._held, self._colours = plan, held, colours
        shown = dtype if colours is None else np.dtype(np.uint8)
        self._levels = levels_within(
            held.axes, held.selected_shape, shown, LEVELS_BYTES, room_for_levels(plan, path)
        )
        self._recent = RecentTiles(RECENT_BYTES)
        self._earlier = [] if run is None else _done_before(plan, run)
        self._stop = threading.Event()
        self._filling: threading.Thread | None = None

    @property
    def factor(self) -> int:
        """Of every how many pixels of a row the largest of them shows one."""
        return self._levels[0].factor

    def over(self, array: Any, order: str) -> LazyArray:
        """The full size as it is on disk, with a layer's axes, and the newest tiles over it."""
        return WithRecent(array, order, self._recent, self._held.axes, filled_by=self)

    def shown(self, order: str) -> list[Any]:
        """The smaller levels, the largest first, with the axes of a layer."""
        return [as_displayed(level.array, self._held.axes, order) for level in self._levels]

    def put(self, target: tuple[slice, ...], core: NDArray[Any]) -> None:
        """Show a block of the output, in the order of its axes."""
        self._recent.put(target, self._put(target, core))

    def fill(self, target: tuple[slice, ...], pixels: NDArray[Any]) -> None:
        """Show a block of what is on disk from afar, in the order of the output's axes."""
        self._put(target, pixels)

    def changed_on_disk(self) -> None:
        """Let what is looked at closely be read from disk again."""
        self._recent.pass_over()

    def _put(self, target: tuple[slice, ...], core: NDArray[Any]) -> NDArray[Any]:
        if self._colours is not None:
            core = self._colours.to_uint8(core)
        core, _ = to_dtype(core, self._levels[0].array.dtype)
        for level in self._levels:
            level.put(target, core)
        return core

    def start_filling(self, array: Any) -> None:
        """Show what an earlier session wrote to an array on disk; ends by itself, or by `stop`."""
        if not self._earlier:
            return
        self._stop.clear()
        saved = DiskView(array, self._held, self._held.axes)
        self._filling = threading.Thread(
            target=self._fill, args=(saved,), name="tessera-levels", daemon=True
        )
        self._filling.start()

    def stop(self, *, wait: bool) -> None:
        """Show no more of what an earlier session wrote; `start_filling` goes on with it."""
        self._stop.set()
        filling, self._filling = self._filling, None
        if wait and filling is not None:
            filling.join()

    def _fill(self, saved: DiskView) -> None:
        while self._earlier and not self._stop.is_set():
            placed = self._held.place(self._plan.tiles.block(self._earlier[-1]))
            if placed is not None:
                _, target = placed
                try:
                    self._put(target, saved[target])
                except Exception as error:
                    # Missing at these levels only; whoever looks at it closely is told, too.
                    _LOG.warning("tile %d is not shown from afar: %s", self._earlier[-1], error)
            self._earlier.pop()


def _done_before(plan: PredictionPlan, run: RunInfo) -> list[int]:
    """Tiles that a resumed run finds done on disk, the first one last."""
    if not run.resume or run.done is None:
        return []
    skipped = plan.skipped
    return [
        index
        for index in reversed(range(plan.tiles.n_tiles))
        if run.done[index] and (skipped is None or not skipped[index])
    ]
