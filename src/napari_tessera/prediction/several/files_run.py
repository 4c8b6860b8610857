"""The images of one run, one after another; what fails does not keep the others waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from zarr.storage import LocalStore

from napari_tessera.prediction.pipeline import Progress, RunResult
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.planning import plan_prediction
from napari_tessera.prediction.resuming import resumed_plan
from napari_tessera.prediction.saving import Output, SaveOptions
from napari_tessera.prediction.several.finding import Found, error_line
from napari_tessera.prediction.several.pace import Pace
from napari_tessera.prediction.several.places import (
    OVERWRITE,
    REFUSE,
    SKIP,
    ResultPlace,
    onto_inputs,
)
from napari_tessera.prediction.several.plates import ResultPlate
from napari_tessera.prediction.several.report import (
    DONE,
    FAILED,
    RUNNING,
    SKIPPED,
    STOPPED,
    WAITING,
    FileEntry,
    Report,
    stat_of,
)
from napari_tessera.prediction.several.report_file import ReportFile
from napari_tessera.prediction.to_disk import save_prediction
from napari_tessera.stacks import ImageStack, open_stack
from napari_tessera.stacks.absent import absent_text
from napari_tessera.stacks.closing import close_stack
from napari_tessera.writing import format_named, read_unfinished
from napari_tessera.writing.files.formats import OME_ZARR
from napari_tessera.writing.ome.metadata import check_version

if TYPE_CHECKING:
    from distributed import Client

    from napari_tessera.models import ChannelModels, Model

ENDED = (DONE, SKIPPED, FAILED)
"""What is not gone on with."""


@dataclass(frozen=True)
class FilesProgress:
    """Where a run over many images stands; given to its callback from the engine's threads.

    Parameters
    ----------
    number, total : int
        Which image it is the turn of, counted from 1, of how many.
    source : str
        That image.
    report : Report
        What became of all so far.
    tiles : Progress or None
        How far this image is; None before its first tile is at work.
    seconds_left : float or None
        For all images, by the pixels per second so far; None before the first tile is done.
    """

    number: int
    total: int
    source: str
    report: Report
    tiles: Progress | None
    seconds_left: float | None


class FilesRun:
    """The images of a call of `predict_files`, and what is the same for all of them.

    Parameters
    ----------
    images, places : sequence
        The images, and where the result of each goes.
    model : Model or ChannelModels
        The model.
    options : SaveOptions
        How results are saved.
    settings : mapping
        Those of `plan_prediction`.
    if_exists : str
        One of `IF_EXISTS`.
    axes : str or None
        Axes of all images.
    before : Report or None
        Of an earlier run of the same model and settings into the same folder.
    goes_on : Report or None
        Of the run that this one goes on with.
    channels : sequence of int or None
        Channels that images are opened with; None for all.
    copy_channels : bool
        As for `predict_to_disk`.
    client : distributed.Client, optional
        Of the Dask cluster whose workers share each image.
    """

    def __init__(
        self,
        images: Sequence[Found],
        places: Sequence[ResultPlace],
        model: Model | ChannelModels,
        options: SaveOptions,
        settings: Mapping[str, Any],
        if_exists: str,
        axes: str | None,
        before: Report | None,
        goes_on: Report | None,
        channels: Sequence[int] | None = None,
        copy_channels: bool = False,
        client: Client | None = None,
    ) -> None:
        self._images = images
        self._places = places
        self._model = model
        self._options = options
        self._form = format_named(options.format or OME_ZARR.name)
        self._settings = settings
        self._if_exists = if_exists
        self._axes = axes
        self._client = client
        self._channels = channels
        self._copy_channels = copy_channels
        self._before = {} if before is None else {e.source: e for e in before.entries}
        self._goes_on = {} if goes_on is None else {e.source: e for e in goes_on.entries}

    def work(
        self,
        report: Report,
        file: ReportFile,
        progress: Callable[[FilesProgress], None] | None,
        cancel: Event,
    ) -> Report:
        """Predict all that is left.

        Parameters
        ----------
        report : Report
            What is known before: what results depend on, and those of earlier runs.
        file : ReportFile
            Where the report is kept.
        progress, cancel
            As for `predict_files`.
        """
        began = time.perf_counter()
        refused = onto_inputs(self._images, self._places)
        entries = tuple(self._first(n, refused.get(n, "")) for n in range(len(self._images)))
        own = {entry.output for entry in entries}
        earlier = tuple(output for output in report.earlier if output not in own)
        report = replace(report, entries=entries, earlier=earlier)
        file.put(report, now=True)
        turns = [n for n, entry in enumerate(entries) if entry.state not in ENDED]
        pace = Pace([self._images[n].n_pixels for n in turns])
        try:
            for at, number in enumerate(turns):
                if cancel.is_set():
                    break
                entry = replace(report.entries[number], state=RUNNING, message="")
                report = report.with_entry(number, entry)
                file.put(report)

                def tell(tiles: Progress | None, at: int = at, now: Report = report) -> None:
                    pace.note(at, tiles)
                    if progress is not None:
                        source = self._images[turns[at]].source
                        left = pace.seconds_left()
                        progress(FilesProgress(at + 1, len(turns), source, now, tiles, left))

                tell(None)
                entry = self._predict(
                    self._images[number], self._places[number], entry, tell, cancel
                )
                pace.end(at)
                report = replace(
                    report.with_entry(number, entry), seconds=time.perf_counter() - began
                )
                file.put(report)
        except BaseException:
            file.put(report, now=True)
            raise
        report = replace(report, seconds=time.perf_counter() - began)
        file.put(report, now=True)
        return report

    def _first(self, number: int, refused: str) -> FileEntry:
        """What is known of an image before any is begun."""
        image, place = self._images[number], self._places[number]
        earlier = self._goes_on.get(image.source)
        if earlier is not None and earlier.state in ENDED:
            return earlier
        if image.problem:
            state = FAILED if image.damaged else SKIPPED
            return FileEntry(image.source, "", state, image.problem)
        if refused:
            return FileEntry(image.source, str(place.path), FAILED, refused)
        return FileEntry(
            image.source,
            str(place.path),
            input_stat=stat_of(image.source),
            output_before=self._output_before(image, place),
        )

    def _output_before(self, image: Found, place: ResultPlace) -> tuple[int, int] | None:
        """What was at a result's place before this run, and the one that it goes on with."""
        if self._made_before(image, place):
            # told once more: this run may be killed before it writes down what was made
            return self._before[image.source].output_before
        return stat_of(place.path)

    def _predict(
        self,
        image: Found,
        place: ResultPlace,
        entry: FileEntry,
        tell: Callable[[Progress | None], None],
        cancel: Event,
    ) -> FileEntry:
        """Predict one image; errors become part of what is told of it."""
        try:
            resume, overwrite, over = self._what_to_do(image, place, entry)
            if over is not None:
                return over
            stack = open_stack(image.source, self._axes, channels=self._channels)
            try:
                return self._save(image, place, entry, stack, resume, overwrite, tell, cancel)
            finally:
                close_stack(stack)
        except Exception as error:
            if self._client is not None and self._client.status != "running":
                # without workers every further image would fail: this run can be gone on with
                raise
            return replace(entry, state=FAILED, message=error_line(error))

    def _what_to_do(
        self, image: Found, place: ResultPlace, entry: FileEntry
    ) -> tuple[bool, bool, FileEntry | None]:
        """Whether to go on with what is there, or to replace it; or what became of the image."""
        if not os.path.lexists(place.path):
            return False, False, None
        earlier = self._goes_on.get(image.source)
        begun = earlier is not None and earlier.state != WAITING
        if self._if_exists == SKIP and not begun:
            return False, False, replace(entry, state=SKIPPED, message="its result exists")
        if self._if_exists == REFUSE and not begun:
            raise FileExistsError(f"{place.path} exists: resume it, or overwrite it")
        if self._if_exists == OVERWRITE and not begun:
            return False, True, None
        if self._form is OME_ZARR:
            return True, False, None
        if self._made_before(image, place):
            return False, False, replace(entry, state=DONE, message="done before")
        if self._if_exists == OVERWRITE:
            return False, True, None
        raise FileExistsError(
            f"{place.path.name} exists, and is not known to be of this image, model and these "
            "settings: overwrite, skip or rename"
        )

    def _made_before(self, image: Found, place: ResultPlace) -> bool:
        """Whether a file was written by an earlier run of the same model and settings.

        A file appears under its name when it is whole. So one that was not there, or was another,
        when a run was begun that the report says was killed, was made by that run.
        """
        earlier = self._before.get(image.source)
        if earlier is None or earlier.output != str(place.path):
            return False
        if earlier.input_stat != stat_of(image.source):
            return False
        if earlier.state == DONE:
            return True
        return earlier.state in (WAITING, RUNNING) and earlier.output_before != stat_of(place.path)

    def _save(
        self,
        image: Found,
        place: ResultPlace,
        entry: FileEntry,
        stack: ImageStack,
        resume: bool,
        overwrite: bool,
        tell: Callable[[Progress | None], None],
        cancel: Event,
    ) -> FileEntry:
        plate = self._plate(image, place)
        if plate is None:
            place.path.parent.mkdir(parents=True, exist_ok=True)
        output = self._output(place)
        began = time.perf_counter()
        plan, done_before = self._plan(stack, output, resume)
        entry = replace(entry, warnings=plan.warnings, tiles=plan.total_tiles)
        if done_before:
            if plate is not None:
                plate.add(image.inside)
            tiles = plan.total_tiles
            return replace(entry, state=DONE, message="done before", tiles_done=tiles)
        if plate is not None:
            plate.prepare(image.inside)
        result = save_prediction(
            stack,
            self._model,
            output,
            plan=plan,
            settings={},
            resume=resume,
            overwrite=overwrite,
            progress=tell,
            cancel=cancel,
            ome_version=self._options.ome_version,
            chunks=self._options.chunks,
            copy_channels=self._copy_channels,
            client=self._client,
        )
        entry = replace(
            entry,
            tiles_done=result.n_done,
            seconds=round(time.perf_counter() - began, 3),
            message=_lacks(stack, result),
        )
        if result.failed_blocks:
            first, n = result.failed_blocks[0], len(result.failed_blocks)
            more = f"; {n - 1} further blocks failed" if n > 1 else ""
            return replace(entry, state=FAILED, message=f"{first}{more}")
        if not result.completed:
            kept = 0 if not output.resumable else result.n_done
            return replace(entry, state=STOPPED, tiles_done=kept)
        if plate is not None:
            plate.add(image.inside)
        return replace(entry, state=DONE)

    def _plan(self, stack: ImageStack, output: Output, resume: bool) -> tuple[PredictionPlan, bool]:
        """The plan, and whether the result of it is there as a whole."""
        stored = read_unfinished(output.target) if resume else None
        if stored is None:
            return plan_prediction(stack, self._model, **self._settings), False
        plan = resumed_plan(
            stored.plan, self._settings, stack, self._model, resumed=output.target.name
        )
        return plan, stored.completed and stored.fingerprint == plan.fingerprint

    def _plate(self, image: Found, place: ResultPlace) -> ResultPlate | None:
        if place.plate is None:
            return None
        place.plate.parent.mkdir(parents=True, exist_ok=True)
        version = check_version(self._options.ome_version)
        return ResultPlate(place.plate, Path(image.plate), version)

    def _output(self, place: ResultPlace) -> Output:
        """A field of a plate has a number for a name, which says nothing of its format."""
        return self._options.of(place.path if place.plate is None else LocalStore(place.path))


def _lacks(stack: ImageStack, result: RunResult) -> str:
    """What an image lacks, in one line."""
    parts = [absent_text(stack, result.absent_chunks)]
    if result.nonfinite:
        parts.insert(
            0,
            f"{result.nonfinite} pixels are NaN, infinite or beyond float32: they are not "
            "predicted",
        )
    return "; ".join(filter(None, parts))
