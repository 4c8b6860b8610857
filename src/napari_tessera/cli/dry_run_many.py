"""``predict --dry-run`` over several images: what they take together."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.cli.dry_run import Cost, Estimator, tell
from napari_tessera.cli.inputs import open_input
from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.cli.jobs import PredictJob
from napari_tessera.cli.predicting import plan_of
from napari_tessera.cli.reporting import Reporter

if TYPE_CHECKING:
    from napari_tessera.prediction.several import Found
    from napari_tessera.prediction.several.places import ResultPlace


def estimate_many(
    images: Sequence[Found],
    folder: Path,
    job: PredictJob,
    reporter: Reporter,
    interrupts: Interrupts,
) -> int:
    """Say what images take together. Each is planned; tiles of the first few are measured.

    Returns
    -------
    int
        Exit status: 0, or 1 where an image cannot be planned for.
    """
    from zarr.storage import LocalStore

    from napari_tessera.prediction.saving import SaveOptions
    from napari_tessera.prediction.several import FileEntry
    from napari_tessera.prediction.several.finding import error_line
    from napari_tessera.prediction.several.places import onto_inputs, result_places
    from napari_tessera.writing import format_named

    options = SaveOptions(**job.saving)
    form = format_named(options.format or "ome-zarr")
    places = result_places(images, folder, form)
    refused = dict(onto_inputs(images, places))
    model = job.load()
    interrupts.guard()
    estimator = Estimator(job, model, reporter, interrupts)
    total, planning, failed = Cost(), 0.0, 0

    def entry(image: Found, place: ResultPlace, state: str, message: str) -> FileEntry:
        return FileEntry(image.source, str(place.path), state, message)

    for number, (image, place) in enumerate(zip(images, places, strict=True), 1):
        if interrupts.signum is not None:
            raise Interrupted(interrupts.signum)
        state, problem = _before(image, place, refused.get(number - 1, ""), job)
        if problem:
            failed += state == "failed"
            reporter.image(number, len(images), entry(image, place, state, problem))
            continue
        try:
            with open_input(image.source, job.axes, reporter, job.channels) as stack:
                output = options.of(place.path if place.plate is None else LocalStore(place.path))
                began = time.perf_counter()
                plan = plan_of(replace(job, output=str(place.path)), stack, model)
                planning += time.perf_counter() - began
                for warning in plan.warnings:
                    reporter.warning(f"{image.source}: {warning}")
                total += estimator.cost(stack, plan, output)
        except Exception as error:
            failed += 1
            message = error_line(error)
            reporter.image(number, len(images), entry(image, place, "failed", message))
    if total.images:
        tell(estimator.facts(total, str(folder), folder, planning), reporter)
    return 1 if failed else 0


def _before(image: Found, place: ResultPlace, refused: str, job: PredictJob) -> tuple[str, str]:
    """What would become of an image before anything is predicted, and why; empty for nothing."""
    if image.problem:
        return ("failed" if image.damaged else "skipped"), image.problem
    if refused:
        return "failed", refused
    if not os.path.lexists(place.path) or job.overwrite:
        return "", ""
    if not job.resume:
        return "failed", f"{place.path} exists: resume it, or overwrite it"
    # of files there is nothing in between
    return ("skipped", "its result exists") if place.path.is_file() else ("", "")
