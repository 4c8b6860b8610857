"""``napari-tessera train``: from an image to a model, with the signals and messages around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.cli.inputs import open_input
from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.cli.training_reporting import TrainingReporter, clock, losses
from napari_tessera.training.data.mask_axes import axes_like
from napari_tessera.training.settings import FOREGROUND, TrainingSettings

if TYPE_CHECKING:
    from napari_tessera.stacks import ImageStack
    from napari_tessera.training import Stop, TrainingPlan, TrainingProgress


@dataclass(frozen=True)
class TrainJob:
    """What was asked for.

    Parameters
    ----------
    source : str
        The noisy image.
    model_out : Path
        Where the model goes.
    target : str or None
        The clean image, for ``"supervised"``.
    mask : str or None
        Where patches are taken from: an image, ``"foreground"``, or None for everywhere.
    axes : str or None
        Axes of the image and of the clean one; None to find out.
    channels : tuple of int or None
        Channels of both that are opened; None for all.
    settings : TrainingSettings
        What is asked for.
    device : str
        Where it computes.
    threads : int or None
        Threads on a CPU; None for torch's choice.
    resume, overwrite : bool
        What to do where the model, or the checkpoint beside it, exists.
    use_checkpoint : bool
        Write the model from the checkpoint as it is.
    """

    source: str
    model_out: Path
    target: str | None = None
    mask: str | None = None
    axes: str | None = None
    channels: tuple[int, ...] | None = None
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    device: str = "auto"
    threads: int | None = None
    resume: bool = False
    overwrite: bool = False
    use_checkpoint: bool = False


def run_train(job: TrainJob, reporter: TrainingReporter) -> int:
    """Train, and say how it went.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 130 or 143 stopped by SIGINT or SIGTERM.
    """
    with Interrupts(reporter.stopping) as interrupts:
        try:
            with reporter.warnings_as_lines():
                return _train(job, reporter, interrupts)
        except (Interrupted, Exception) as error:
            if isinstance(error, Interrupted) or interrupts.came_early:
                reporter.stopped("interrupted before the first step: nothing was written")
                return interrupts.exit_status
            reporter.error(error)
            return 1


def _train(job: TrainJob, reporter: TrainingReporter, interrupts: Interrupts) -> int:
    from napari_tessera.training.model_out import check_model_out, checkpoint_of

    checkpoint = checkpoint_of(job.model_out)
    check_model_out(job.model_out, resume=job.resume or job.use_checkpoint, overwrite=job.overwrite)
    _look_for_state(job, checkpoint, reporter)
    with _opened(job, reporter) as (stack, target, mask):
        # torch takes seconds to import: what can be wrong without it is found before
        interrupts.load("torch")
        from napari_tessera.training import plan_training, train

        if job.threads is not None:
            import torch

            torch.set_num_threads(job.threads)
        with plan_training(stack, job.settings, target=target, mask=mask) as plan:
            for warning in plan.data.warnings:
                reporter.warning(warning)
            reporter.begins(plan)
            last: list[TrainingProgress] = []
            interrupts.guard(lambda: reporter.ended(_what_is_kept_at_once(checkpoint)))
            with reporter.running():
                written = train(
                    plan,
                    job.model_out,
                    device=job.device,
                    resume=job.resume or job.use_checkpoint,
                    overwrite=job.overwrite,
                    progress=_teller(reporter, last),
                    cancel=_canceller(job, interrupts),
                )
    facts: dict[str, Any] = {"path": str(written)}
    if last:
        facts |= {"step": last[-1].step, "steps": last[-1].steps}
    if written == checkpoint:
        reporter.stopped(_what_is_kept(job, checkpoint, last), **facts)
        return interrupts.exit_status

    from napari_tessera.models.recent import remember_model

    remember_model(written)
    reporter.finished(_what_was_trained(written, plan, last), **facts)
    return 0


def _look_for_state(job: TrainJob, checkpoint: Path, reporter: TrainingReporter) -> None:
    """Say so where there is nothing to go on with, which is no error: scripts resume always."""
    if checkpoint.exists():
        return
    if job.use_checkpoint:
        raise FileNotFoundError(
            f"there is no {checkpoint} to make a model of: train without --use-checkpoint"
        )
    if job.resume:
        reporter.warning(f"there is no {checkpoint} to go on with: training begins at step 0")


@contextmanager
def _opened(
    job: TrainJob, reporter: TrainingReporter
) -> Iterator[tuple[ImageStack, ImageStack | None, Any]]:
    """The noisy image, the clean one and the mask."""
    with ExitStack() as files:

        def opened(source: str) -> ImageStack:
            return files.enter_context(open_input(source, job.axes, reporter, job.channels))

        stack = opened(job.source)
        target = None if job.target is None else opened(job.target)
        mask: Any = job.mask
        if mask is not None and mask != FOREGROUND:
            named, mask = mask, files.enter_context(open_input(mask, None, reporter))
            if axes := axes_like(mask, stack):
                mask = files.enter_context(open_input(named, axes, reporter))
        yield stack, target, mask


def _teller(
    reporter: TrainingReporter, last: list[TrainingProgress]
) -> Callable[[TrainingProgress], None]:
    def tell(state: TrainingProgress) -> None:
        last[:] = [state]
        if state.notice is not None:
            reporter.warning(state.notice)
        reporter.trained(state)

    return tell


def _canceller(job: TrainJob, interrupts: Interrupts) -> Callable[[], Stop | None]:
    from napari_tessera.training import Stop

    def asked() -> Stop | None:
        if interrupts.cancel.is_set():
            return Stop.PAUSE
        return Stop.USE if job.use_checkpoint else None

    return asked


def _what_is_kept_at_once(checkpoint: Path) -> str:
    if not checkpoint.exists():
        return "ended at once: nothing was written"
    return (
        f"ended at once: what was trained until it was kept last is in {checkpoint}; the same "
        "command with --resume goes on"
    )


def _what_is_kept(job: TrainJob, checkpoint: Path, last: list[TrainingProgress]) -> str:
    how_far = f"{last[-1].step} of {last[-1].steps} steps are in " if last else "the state is in "
    return (
        f"interrupted: {how_far}{checkpoint}; the same command with --resume goes on, with "
        f"--use-checkpoint makes {job.model_out.name} of them"
    )


def _what_was_trained(path: Path, plan: TrainingPlan, last: list[TrainingProgress]) -> str:
    text = f"{path}: {plan.settings.method}, {plan.settings.spatial_dims}D"
    if not last:
        return text
    state = last[-1]
    steps = (
        f"{state.step} step{'' if state.step == 1 else 's'}"
        if state.step == state.steps
        else f"{state.step} of {state.steps} steps"
    )
    known = losses(state)
    return f"{text}, {steps} in {clock(state.seconds)}" + (f", {known}" if known else "")
