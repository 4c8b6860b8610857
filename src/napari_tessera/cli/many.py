"""``napari-tessera predict`` over several images: one run, one report, each failure told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.cli.clusters import client_of
from napari_tessera.cli.dry_run_many import estimate_many
from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.cli.jobs import PredictJob
from napari_tessera.cli.many_inputs import find_inputs
from napari_tessera.cli.reporting import Reporter, one_line
from napari_tessera.home_paths import from_home

if TYPE_CHECKING:
    from napari_tessera.prediction.several import FilesProgress, Report

OME_ZARR = "ome-zarr"
"""The format of results where none is asked for."""


def run_many(sources: Sequence[str], job: PredictJob, reporter: Reporter) -> int:
    """Predict several images into a folder, and say how it went.

    Parameters
    ----------
    sources : sequence of str
        What was typed as inputs.
    job : PredictJob
        The rest; its output is the folder.
    reporter : Reporter
        Tells it.

    Returns
    -------
    int
        Exit status: 0 done, 1 if any image failed, 130 or 143 stopped by SIGINT or SIGTERM.
    """
    with Interrupts(reporter.stopping) as interrupts:
        try:
            with reporter.warnings_as_lines():
                return _predict(sources, job, reporter, interrupts)
        except (Interrupted, Exception) as error:
            if isinstance(error, Interrupted) or interrupts.came_early:
                reporter.stopped("interrupted before the first image: nothing was written")
                return interrupts.exit_status
            reporter.error(error)
            return 1


def _predict(
    sources: Sequence[str], job: PredictJob, reporter: Reporter, interrupts: Interrupts
) -> int:
    from napari_tessera.prediction.saving import SaveOptions
    from napari_tessera.prediction.several import REPORT_NAME, predict_files
    from napari_tessera.writing import format_named

    job = job.with_channels_in_place()
    form = format_named(job.saving["format"] or OME_ZARR)
    output = SaveOptions(**job.saving).of(f"image{form.ending}")
    if job.cluster is not None:
        job.cluster.check(output)
    folder = from_home(job.output).absolute()
    with reporter.logged_as_lines("tifffile"):
        images = find_inputs(
            sources, axes=job.axes, region=job.settings.get("region"), folder=folder
        )
    reporter.images(images, str(folder))
    if job.resume and not (folder.is_dir() and any(folder.iterdir())):
        # no error: scripts resume always
        reporter.warning(f"there is nothing in {folder} to go on with: all images begin anew")
    interrupts.load("torch")
    if job.dry_run:
        return estimate_many(images, folder, job, reporter, interrupts)
    with client_of(job.cluster, reporter.warning) as client:
        model = job.load()
        job.remember()
        told = _Told(reporter)
        interrupts.guard(
            lambda: reporter.ended(
                f"ended at once: what is written stays in {folder}; the same command with --resume "
                "goes on"
            )
        )
        with reporter.running(), reporter.logged_as_lines("tifffile"):
            report = predict_files(
                images,
                folder,
                model,
                if_exists=_if_exists(job),
                axes=job.axes,
                channels=job.channels,
                copy_channels=job.copy_channels,
                progress=told.progress,
                cancel=interrupts.cancel,
                client=client,
                **_saving(job),
                **job.settings,
                **job.run_settings,  # type: ignore[arg-type]
            )
    told.entries(report)
    facts = _facts(report, folder / REPORT_NAME)
    if not report.completed:
        reporter.stopped(
            f"interrupted: {report.summary}; the same command with --resume goes on", **facts
        )
        return interrupts.exit_status
    reporter.finished(
        f"{folder}: {report.summary} in {report.seconds:.1f} s; see {folder / REPORT_NAME}", **facts
    )
    return 1 if report.count("failed") else 0


def _saving(job: PredictJob) -> dict[str, Any]:
    """How results are saved: what is not typed is what `predict_files` does by itself."""
    return {name: value for name, value in job.saving.items() if value is not None}


def _if_exists(job: PredictJob) -> str:
    """What to do with a result that is there, as for one image."""
    if job.resume:
        return "resume"
    return "overwrite" if job.overwrite else "refuse"


class _Told:
    """Tells of each image once that it begins, and once how it ended; of each warning once."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._states: dict[int, str] = {}
        self._warned: set[str] = set()

    def progress(self, state: FilesProgress) -> None:
        """Say how far it is; called from the engine's threads, never two at once."""
        self.entries(state.report)
        for notice in () if state.tiles is None else state.tiles.notices:
            self._warning(state.source, notice)
        self._reporter.of_images(state)

    def entries(self, report: Report) -> None:
        """Say what is new of each image."""
        for number, entry in enumerate(report.entries):
            if entry.state == "waiting" or self._states.get(number) == entry.state:
                continue
            self._states[number] = entry.state
            for warning in entry.warnings:
                self._warning(entry.source, warning)
            self._reporter.image(number + 1, len(report.entries), entry)

    def _warning(self, source: str, text: str) -> None:
        """Say a warning with the first image that it is of; the report has the others."""
        line = one_line(text)
        if line not in self._warned:
            self._warned.add(line)
            self._reporter.warning(f"{source}: {line}")


def _facts(report: Report, file: Path) -> dict[str, Any]:
    return {
        "report": str(file),
        "summary": report.summary,
        "images": len(report.entries),
        "done": report.count("done"),
        "skipped": report.count("skipped"),
        "failed": report.count("failed"),
        "left": report.count("waiting", "running", "stopped"),
        "failures": [
            {"source": entry.source, "message": entry.message}
            for entry in report.entries
            if entry.state == "failed"
        ],
        "seconds": round(report.seconds, 3),
    }
