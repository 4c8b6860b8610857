"""A bar on the terminal that shows how far a run is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from napari_tessera.cli.reporting import Reporter, visible

if TYPE_CHECKING:
    from napari_tessera import prediction
    from napari_tessera.prediction.several import FilesProgress, Found

_LONGEST_NAME = 30


class BarReporter(Reporter):
    """Draws a bar where stderr is a terminal."""

    def __init__(self, *, debug: bool = False) -> None:
        super().__init__(debug=debug)
        console = Console(stderr=True)
        self._bar = Progress(*self._columns(), console=console, disable=not console.is_terminal)
        self._task: TaskID | None = None
        self._all: TaskID | None = None

    def _columns(self) -> Sequence[ProgressColumn]:
        return (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("tiles"),
            TextColumn("{task.fields[speed]}", style="dim"),
            TimeRemainingColumn(),
        )

    def planned(self, plan: prediction.PredictionPlan) -> None:
        """Make the bar as long as the plan."""
        self._task = self._bar.add_task("denoising", total=plan.total_tiles, speed="")

    def progress(self, state: prediction.Progress) -> None:
        """Move the bar; called from the engine's threads."""
        if self._task is not None:
            self._bar.update(
                self._task, completed=state.done, total=state.total, speed=_speed(state)
            )

    def images(self, found: Sequence[Found], folder: str) -> None:
        """Make two bars, of all images and of the one at work."""
        self._bar.columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[speed]}", style="dim"),
        )
        total = sum(not image.problem for image in found)
        self._all = self._bar.add_task("all", total=total, count=f"0/{total} images", speed="")
        self._task = self._bar.add_task("", total=None, count="", speed="")

    def of_images(self, state: FilesProgress) -> None:
        """Move both bars; called from the engine's threads."""
        if self._task is None or self._all is None:
            return
        tiles, before = state.tiles, state.number - 1
        share = tiles.done / tiles.total if tiles is not None and tiles.total else 0.0
        left = state.seconds_left
        self._bar.update(
            self._all,
            completed=before + share,
            total=state.total,
            count=f"{before + (share == 1)}/{state.total} images",
            speed="" if left is None else f"{timedelta(seconds=round(left))} left",
        )
        self._bar.update(
            self._task,
            description=short_name(state.source),
            completed=0 if tiles is None else tiles.done,
            total=None if tiles is None else tiles.total,
            count="" if tiles is None else f"{tiles.done}/{tiles.total} tiles",
            speed="" if tiles is None else _speed(tiles),
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show the bar."""
        with self._bar:
            yield

    def _line(self, text: str, style: str) -> None:
        self._print(self._bar.console, text, style)


def short_name(source: str) -> str:
    """The name of an image, as far as it fits beside a bar."""
    name = visible(source.rstrip("/\\").replace("\\", "/").rpartition("/")[2])
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"


def _speed(state: prediction.Progress) -> str:
    speed = state.megapixels_per_second
    return "" if speed is None else f"{speed:.1f} MP/s"
