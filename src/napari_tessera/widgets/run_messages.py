"""What people are told of a run, each in one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_tessera.stacks.absent import absent_text
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.fields.text import sizes_text
from napari_tessera.widgets.reports import PlanReview

if TYPE_CHECKING:
    from napari_tessera.widgets.layer_run import LayerRun

MOST_LETTERS = 300


def describe_failure(run: LayerRun, error: BaseException) -> str:
    """Say what went wrong, on what, and the way out where there is a known one."""
    reason = _reason(error)
    name = run.name
    if _out_of_memory(error) and run.plan is not None and run.model is not None:
        tile = sizes_text(run.plan.patch_size)
        return (
            f"Denoising {name} stopped, out of memory on {run.model.device} with tiles of {tile}, "
            f"{run.plan.settings.batch_size} at once: make tiles or batch smaller ({reason})"
        )
    return f"Denoising {name} stopped: {reason}"


def describe_unwritten(run: LayerRun, error: BaseException) -> str:
    """Say why not all is saved though all was done that could be, and the way out."""
    if run.file is None:
        return f"{run.name}: {_reason(error)}; Continue tries again"
    return (
        f"{run.file.path.name} was not written: {_reason(error)}; the layer has all tiles, and "
        "Continue tries again"
    )


def plan_review(run: LayerRun) -> PlanReview:
    """What the settings came to, of a run that is planned."""
    assert run.plan is not None
    assert run.model is not None
    return PlanReview(
        run.request,
        run.plan,
        run.model.geometry.reach,
        run.settings_warnings,
        run.model.warnings,
        waits=run.waits(run.plan),
    )


def plan_warnings(run: LayerRun) -> list[str]:
    """What planning found out about the image, and where the result is if not in memory."""
    assert run.plan is not None
    name = run.name
    told = [f"{name}: {w}" for w in run.plan.warnings if w not in run.settings_warnings]
    if isinstance(run.store, DiskStore) and run.store.is_temporary:
        told.append(
            f"{name}: the result takes more than half of the free memory, so it is kept in "
            f"{run.store.path} as long as its layer is open"
        )
    return told


def result_warnings(run: LayerRun) -> list[str]:
    """What a run that went through found out."""
    told = notice_lines(run, run.result.notices) if run.result is not None else []
    if run.result is not None and run.result.nonfinite:
        told.append(
            f"{run.name}: {run.result.nonfinite:,} pixels are NaN, infinite or beyond float32 and "
            "are not predicted; statistics leave them out"
        )
    if run.result is not None and run.result.absent_chunks:
        told.append(absent_text(run.stack, run.result.absent_chunks, run.name))
    if run.save is not None and run.look.problem:
        told.append(
            f"{run.save.path.name} has all pixels and does not say how the layer is shown: "
            f"{run.look.problem}"
        )
    if run.clipped_pixels and run.plan is not None:
        told.append(
            f"{run.name}: {run.clipped_pixels:,} saved pixels were outside the range of "
            f"{run.plan.output_dtype} and were clipped to it"
        )
    return told


def notice_lines(run: LayerRun, notices: Iterable[str]) -> list[str]:
    """What a run has to say of how it goes on."""
    return [f"{run.name}: {notice}" for notice in notices]


def _reason(error: BaseException) -> str:
    """What an error says, in one line, without the system's number for it."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, OSError) and error.filename is not None:
        told = f"{told}: {error.filename}"
    text = told.strip()
    return text.splitlines()[0][:MOST_LETTERS] if text else type(error).__name__


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; CUDA's own error is a RuntimeError."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    )
