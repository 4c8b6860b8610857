"""``napari-tessera predict``: from files to a file, with the signals and messages around it."""

from __future__ import annotations

import json
import time
from codecs import BOM_UTF8
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from napari_tessera.cli.clusters import client_of
from napari_tessera.cli.dry_run import estimate_one
from napari_tessera.cli.inputs import open_input
from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.cli.jobs import PredictJob
from napari_tessera.cli.many_inputs import check_one_image
from napari_tessera.cli.options import check_region
from napari_tessera.cli.reporting import Reporter

if TYPE_CHECKING:
    from distributed import Client

    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.prediction import PredictionPlan, Progress
    from napari_tessera.prediction.saving import Output
    from napari_tessera.prediction.written import Written
    from napari_tessera.stacks import ImageStack


def run_predict(job: PredictJob, reporter: Reporter) -> int:
    """Predict, and say how it went.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 130 or 143 stopped by SIGINT or SIGTERM.
    """
    with Interrupts(reporter.stopping) as interrupts:
        try:
            with reporter.warnings_as_lines():
                return _predict(job, reporter, interrupts)
        except (Interrupted, Exception) as error:
            if isinstance(error, Interrupted) or interrupts.came_early:
                reporter.stopped("interrupted before the first tile: nothing was written")
                return interrupts.exit_status
            reporter.error(error)
            return 1


def _predict(job: PredictJob, reporter: Reporter, interrupts: Interrupts) -> int:
    # torch takes seconds to import: what can be wrong without it is found before
    from napari_tessera.prediction.saving import SaveOptions
    from napari_tessera.writing import check_target

    job = job.with_channels_in_place()
    try:
        output = SaveOptions(**job.saving).of(job.output)
    except ValueError as error:
        if PurePath(job.output).suffix:
            raise
        raise ValueError(f"{error}; or a folder for results, {job.output}/") from None
    check_one_image(job.source)
    if job.cluster is not None:
        job.cluster.check(output)
    check_target(output.target, resume=job.resume, overwrite=job.overwrite, source=job.source)
    anew = job.resume and not _goes_on(job, output)
    with ExitStack() as opened:
        stack = opened.enter_context(open_input(job.source, job.axes, reporter, job.channels))
        sizes = dict(zip(stack.original_axes, stack.original_data_shape, strict=True))
        channels = sizes.pop("C", 1)
        region = job.settings.get("region")
        check_region(region, sizes)
        interrupts.load("torch")
        client = None
        if not job.dry_run:
            # an address that is wrong is found before much is done
            client = opened.enter_context(client_of(job.cluster, reporter.warning))
        model = job.load()
        began = time.perf_counter()
        plan = plan_of(job, stack, model)
        made = dict(zip(plan.layout.output_axes, plan.layout.output_shape, strict=True))
        # a region's channels are the image's or those that the model makes
        check_region(region, {"C": max(channels, made.get("C", 1))})
        for warning in plan.warnings:
            reporter.warning(warning)
        reporter.planned(plan)
        if job.dry_run:
            planning = time.perf_counter() - began
            return estimate_one(job, stack, model, plan, output, planning, reporter, interrupts)
        job.remember()
        return _run(job, stack, model, plan, output, client, reporter, interrupts, anew=anew)


def _run(
    job: PredictJob,
    stack: ImageStack,
    model: Model | ChannelModels,
    plan: PredictionPlan,
    output: Output,
    client: Client | None,
    reporter: Reporter,
    interrupts: Interrupts,
    *,
    anew: bool,
) -> int:
    """Predict the image, and say what came of it, and before that whether it begins anew."""
    from napari_tessera.prediction import predict_to_disk

    # the first and the last
    states: list[Progress] = []
    results: list[Written] = []

    def progress(state: Progress) -> None:
        if anew and not states:
            # now that it was let begin; and no error, as scripts resume always
            reporter.warning(f"there is no run in {output.target} to go on with: it begins anew")
        states[1:] = [state]
        for notice in state.notices:
            reporter.warning(notice)
        reporter.progress(state)

    interrupts.guard(lambda: reporter.ended(_what_is_left_at_once(output)))
    with reporter.running():
        predict_to_disk(
            stack,
            model,
            job.output,
            plan=plan,
            resume=job.resume,
            overwrite=job.overwrite,
            progress=progress,
            cancel=interrupts.cancel,
            copy_channels=job.copy_channels,
            written=results.append,
            client=client,
            **job.saving,
        )
    last = states[-1]
    done, total = last.done, last.total
    facts: dict[str, Any] = {"path": str(output.target), "done": done, "total": total}
    if not results and interrupts.signum is None:
        # what failed on workers was told as it happened
        raise OSError(
            f"{total - done} of {total} tiles are not in {output.target}: resume it when what "
            "failed is mended"
        )
    if not results:
        reporter.stopped(_what_is_left(output, done, total), **facts)
        return interrupts.exit_status
    result = results[-1]
    shape = "×".join(map(str, result.shape))
    clipped = result.clipped_pixels
    before = states[0].done - len(states[0].finished)
    how = "done before"
    if last.pixels:
        how = (f"({before} of them before) " if before else "") + f"in {last.seconds:.1f} s"
    reporter.finished(
        f"{output.target}: {result.axes} {shape} {result.dtype}, "
        f"{total} {'tile' if total == 1 else 'tiles'} {how}"
        + (f", {clipped} {'pixel' if clipped == 1 else 'pixels'} clipped" if clipped else ""),
        **facts,
        axes=result.axes,
        shape=result.shape,
        dtype=result.dtype,
        clipped_pixels=clipped,
        seconds=round(last.seconds, 3),
        absent_chunks=last.absent_chunks,
    )
    return 0


def _goes_on(job: PredictJob, output: Output) -> bool:
    """Whether there is a run to go on with.

    Raises
    ------
    ValueError
        If another version of OME-Zarr is asked for than that run was begun in.
    """
    from napari_tessera.prediction.going_on import version_there

    there = version_there(output.target)
    if (asked := job.saving.get("ome_version", there)) != there and there is not None:
        raise ValueError(
            f"{output.target} cannot be resumed as OME-Zarr {asked}, its run is in {there}: leave "
            "--ome-version out, or overwrite it"
        )
    return there is not None


def plan_of(job: PredictJob, stack: ImageStack, model: Model | ChannelModels) -> PredictionPlan:
    """The plan given, that of the run to go on with, or a new one."""
    from napari_tessera.prediction import PredictionPlan, plan_prediction
    from napari_tessera.prediction.resuming import resumed_plan
    from napari_tessera.writing import read_unfinished

    run = job.run_settings
    if job.plan is not None:
        return PredictionPlan.from_json(_plan_text(job.plan)).with_settings(**run)
    settings = {**job.settings, **run}
    unfinished = read_unfinished(job.output) if job.resume else None
    if unfinished is None:
        return plan_prediction(stack, model, **settings)
    return resumed_plan(unfinished.plan, settings, stack, model, resumed=str(job.output))


def _plan_text(path: Path) -> str:
    from napari_tessera.writing import read_unfinished

    if path.is_file():
        with path.open("rb") as file:
            # an image given by mistake is not read to its end
            start = file.read(64).removeprefix(BOM_UTF8).lstrip()
        try:
            if start[:1] in (b"", b"{"):
                return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            pass
        raise ValueError(f"{path} is no plan: give a plan (JSON), or a run's .zarr")
    if not path.exists():
        raise FileNotFoundError(f"plan {path} does not exist: give a plan, or a run's .zarr")
    stored = read_unfinished(path)
    if stored is None:
        raise ValueError(f"{path} holds no run of napari-tessera: give a plan, or a run's .zarr")
    return json.dumps(stored.plan)


def _what_is_left_at_once(output: Output) -> str:
    if output.resumable:
        return (
            f"ended at once: the tiles that are written stay in {output.target}; the same command "
            "with --resume goes on"
        )
    return f"ended at once: {output.target} was not written (only .ome.zarr can be resumed)"


def _what_is_left(output: Output, done: int, total: int) -> str:
    if output.resumable:
        return (
            f"interrupted: {done} of {total} tiles are in {output.target}; the same command with "
            "--resume goes on"
        )
    if output.target.zipped:
        return (
            f"interrupted: {done} of {total} tiles are in {output.target}, and cannot be gone on "
            "with (only a .ome.zarr folder can)"
        )
    return (
        f"interrupted after {done} of {total} tiles: nothing was written (only .ome.zarr can be "
        "resumed)"
    )
