"""``napari-tessera predict``: from files to a file, with the signals and messages around it."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_tessera.cli.inputs import open_input
from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.cli.options import check_region
from napari_tessera.cli.reporting import Reporter

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.prediction import PredictionPlan, Progress
    from napari_tessera.prediction.saving import Output
    from napari_tessera.prediction.written import Written
    from napari_tessera.stacks import ImageStack


@dataclass(frozen=True)
class PredictJob:
    """What was asked for.

    Parameters
    ----------
    source : str
        The image.
    output : str
        Where the prediction goes: a path, or a URL for Zarr.
    model : str or dict of int to str
        A model, or one for each of several channels of the image.
    device, precision : str
        What `load_model` takes.
    axes : str or None
        Axes of the image; None to find out.
    channels : tuple of int or None
        Channels that are opened; None for all.
    plan : Path or None
        A plan to follow: a JSON file, or a store that a run wrote.
    settings : mapping
        Those of `plan_prediction` that were typed.
    batch_size : "auto" or int
        Tiles per run of the model.
    threads : int or None
        Threads of the model on a CPU; None for torch's choice.
    resume, overwrite : bool
        What to do where the output exists.
    saving : mapping
        What `SaveOptions` takes.
    copy_channels : bool
        Keep channels that are left out, as they are in the image.
    """

    source: str
    output: str
    model: str | dict[int, str]
    device: str = "auto"
    precision: str = "auto"
    axes: str | None = None
    channels: tuple[int, ...] | None = None
    plan: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    batch_size: Literal["auto"] | int = "auto"
    threads: int | None = None
    resume: bool = False
    overwrite: bool = False
    saving: Mapping[str, Any] = field(default_factory=dict)
    copy_channels: bool = False

    def with_channels_in_place(self) -> PredictJob:
        """The same job on the whole image, the channels taken by its region: others can be copied.

        Raises
        ------
        ValueError
            If the channels are reordered, or the region takes channels too.
        """
        if not self.copy_channels or self.channels is None:
            return self
        if list(self.channels) != sorted(set(self.channels)):
            raise ValueError(
                f"--copy-channels keeps channels in their places, --channels reorders them to "
                f"{','.join(map(str, self.channels))}: give them in ascending order"
            )
        region = dict(self.settings.get("region") or {})
        if "C" in region:
            raise ValueError("--channels and C in --region are both given: leave one of them out")
        region["C"] = list(self.channels)
        return replace(self, channels=None, settings={**self.settings, "region": region})


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
    output = SaveOptions(**job.saving).of(job.output)
    check_target(output.target, resume=job.resume, overwrite=job.overwrite, source=job.source)
    with open_input(job.source, job.axes, reporter, job.channels) as stack:
        sizes = dict(zip(stack.original_axes, stack.original_data_shape, strict=True))
        channels = sizes.pop("C", 1)
        region = job.settings.get("region")
        check_region(region, sizes)

        from napari_tessera.models import load_model
        from napari_tessera.models.recent import remember_model
        from napari_tessera.prediction import predict_to_disk

        named = _models(job.model, job.channels)
        model = load_model(named, device=job.device, precision=job.precision)
        plan = _plan(job, stack, model)
        for name in [named] if isinstance(named, str) else named.values():
            remember_model(name)
        made = dict(zip(plan.layout.output_axes, plan.layout.output_shape, strict=True))
        # a region's channels are the image's or those that the model makes
        check_region(region, {"C": max(channels, made.get("C", 1))})
        for warning in plan.warnings:
            reporter.warning(warning)
        reporter.planned(plan)
        last: list[Progress] = []
        results: list[Written] = []

        def progress(state: Progress) -> None:
            last[:] = [state]
            for notice in state.notices:
                reporter.warning(notice)
            reporter.progress(state)

        interrupts.guard()
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
                **job.saving,
            )
    done, total = last[-1].done, last[-1].total
    facts = {"path": str(output.target), "done": done, "total": total}
    if done < total:
        reporter.stopped(_what_is_left(output, done, total), **facts)
        return interrupts.exit_status
    result = results[-1]
    shape = "×".join(map(str, result.shape))
    clipped = result.clipped_pixels
    how = f"in {last[-1].seconds:.1f} s" if last[-1].pixels else "done before"
    reporter.finished(
        f"{output.target}: {result.axes} {shape} {result.dtype}, "
        f"{total} {'tile' if total == 1 else 'tiles'} {how}"
        + (f", {clipped} {'pixel' if clipped == 1 else 'pixels'} clipped" if clipped else ""),
        **facts,
        axes=result.axes,
        shape=result.shape,
        dtype=result.dtype,
        clipped_pixels=clipped,
        seconds=round(last[-1].seconds, 3),
        absent_chunks=last[-1].absent_chunks,
    )
    return 0


def _models(model: str | dict[int, str], channels: tuple[int, ...] | None) -> str | dict[int, str]:
    """The models by the channels that are opened, which are counted anew from 0."""
    if isinstance(model, str) or channels is None:
        return model
    for channel in model:
        if channel not in channels:
            raise ValueError(
                f"a model is given for channel {channel}, and --channels takes "
                f"{','.join(map(str, channels))}: leave one of them out"
            )
    return {channels.index(channel): name for channel, name in model.items()}


def _plan(job: PredictJob, stack: ImageStack, model: Model | ChannelModels) -> PredictionPlan:
    """The plan given, that of the run to go on with, or a new one."""
    from napari_tessera.prediction import PredictionPlan, plan_prediction
    from napari_tessera.prediction.resuming import resumed_plan
    from napari_tessera.writing import read_unfinished

    run: dict[str, int] = {}
    if job.batch_size != "auto":
        run["batch_size"] = job.batch_size
    if job.threads is not None:
        run["torch_threads"] = job.threads
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
