"""How far a run is, from the engine's threads to the GUI thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_tessera.prediction import Progress
from napari_tessera.widgets.reports import RunProgress

if TYPE_CHECKING:
    from napari_tessera.widgets.layer_run import LayerRun


class ProgressBox:
    """Takes what the engine's threads report, and gives it to the GUI thread when it asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: Progress | None = None
        self._finished: list[int] = []
        self._first: Progress | None = None

    def put(self, progress: Progress) -> None:
        """Called from the engine's threads."""
        with self._lock:
            self._latest = progress
            self._finished.extend(progress.finished)
            if self._first is None and progress.finished:
                self._first = progress

    def take(self) -> tuple[Progress | None, list[int]]:
        """Newest report since the last call, and all tiles finished since."""
        with self._lock:
            latest, finished = self._latest, self._finished
            self._latest, self._finished = None, []
        return latest, finished

    def start(self) -> None:
        """Forget an earlier run's pace."""
        with self._lock:
            self._latest, self._finished, self._first = None, [], None

    def pace(self, latest: Progress, done_before: int) -> tuple[int, float]:
        """Tiles finished and the seconds they took, up to a report.

        Counted from the first tile finished where there are more: starting the threads and the
        model's first call belong to no tile.
        """
        with self._lock:
            first = self._first
        if first is not None and latest.done > first.done:
            return latest.done - first.done, latest.seconds - first.seconds
        return latest.done - done_before, latest.seconds


def writing_report(run: LayerRun, number: int, n_layers: int) -> RunProgress:
    """What the dock is told while a file is written out of tiles that are all there."""
    assert run.plan is not None
    assert run.file is not None
    total = run.plan.total_tiles
    return RunProgress(
        layer=run.name,
        layer_number=number,
        n_layers=n_layers,
        done=total,
        total=total,
        seconds_left=None,
        tiles_per_second=None,
        megapixels_per_second=None,
        stage_seconds={},
        writing=run.file.path.name,
    )


def progress_report(run: LayerRun, latest: Progress, number: int, n_layers: int) -> RunProgress:
    """What the dock is told of a run; ``number`` counts the layers from 1."""
    tiles, seconds = run.progress.pace(latest, run.done_before)
    speed = tiles / seconds if tiles > 0 and seconds > 0 else None
    return RunProgress(
        layer=run.name,
        layer_number=number,
        n_layers=n_layers,
        done=latest.done,
        total=latest.total,
        seconds_left=(latest.total - latest.done) / speed if speed else None,
        tiles_per_second=speed,
        megapixels_per_second=latest.pixels / latest.seconds / 1e6 if speed else None,
        stage_seconds=latest.stage_seconds,
    )
