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
        self._news = False

    def put_news(self) -> None:
        """Say that more can be seen of what is on display; called from any thread."""
        with self._lock:
            self._news = True

    def take_news(self) -> bool:
        """Whether that was said since the last call."""
        with self._lock:
            news, self._news = self._news, False
        return news

    def put(self, progress: Progress) -> None:
        """Called from the engine's threads."""
        with self._lock:
            self._latest = progress
            self._finished.extend(progress.finished)

    def take(self) -> tuple[Progress | None, list[int]]:
        """Newest report since the last call, and all tiles finished since."""
        with self._lock:
            latest, finished = self._latest, self._finished
            self._latest, self._finished = None, []
        return latest, finished

    def start(self) -> None:
        """Forget what an earlier start of the engine has reported and nobody took."""
        with self._lock:
            self._latest, self._finished = None, []


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
        bottleneck=None,
        writing=run.file.path.name,
    )


def progress_report(run: LayerRun, latest: Progress, number: int, n_layers: int) -> RunProgress:
    """What the dock is told of a run; ``number`` counts the layers from 1."""
    return RunProgress(
        layer=run.name,
        layer_number=number,
        n_layers=n_layers,
        done=latest.done,
        total=latest.total,
        seconds_left=latest.seconds_left,
        tiles_per_second=latest.tiles_per_second,
        megapixels_per_second=latest.megapixels_per_second,
        bottleneck=latest.bottleneck,
        device_bytes=latest.device_bytes,
        getting_ready=run.getting_ready,
    )
