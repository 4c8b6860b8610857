"""Training in one call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_tessera.models.own_format import save_trained
from napari_tessera.stacks import open_stack
from napari_tessera.stacks.closing import close_stack
from napari_tessera.training.data.mask_axes import axes_like
from napari_tessera.training.data.room import check_sides
from napari_tessera.training.data.training_data import TrainingData
from napari_tessera.training.describing import history, test_patch, words
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.loop.network import network_settings
from napari_tessera.training.loop.progress import TrainingProgress
from napari_tessera.training.loop.trainer import Trainer
from napari_tessera.training.model_out import check_model_out, check_room, checkpoint_of
from napari_tessera.training.one_at_a_time import only_training_of
from napari_tessera.training.settings import FOREGROUND, TrainingSettings
from napari_tessera.training.stop import Stop

if TYPE_CHECKING:
    import torch

    from napari_tessera.stacks import ImageStack


@dataclass(frozen=True)
class TrainingPlan:
    """A training, decided. A context manager: what was opened for it is closed at the end.

    Parameters
    ----------
    settings : TrainingSettings
        With every default resolved.
    data : TrainingData
        Patches of the image.
    source, target : str
        Where the images come from; `target` is empty where there is none.
    summary : tuple of str
        What is about to happen, in lines for people.
    """

    settings: TrainingSettings
    data: TrainingData
    source: str
    target: str
    summary: tuple[str, ...]
    _opened: ExitStack = field(repr=False, compare=False, default_factory=ExitStack)

    def close(self) -> None:
        """End threads, and close what was opened for it."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def plan_training(
    stack: Any,
    settings: TrainingSettings | None = None,
    *,
    target: Any = None,
    mask: Any = None,
) -> TrainingPlan:
    """Check what can be checked before a training, measure the image, and decide the rest.

    Parameters
    ----------
    stack : anything that `open_stack` takes
        The noisy image.
    settings : TrainingSettings, optional
        What is asked for.
    target : anything that `open_stack` takes, optional
        The clean (or a second noisy) image of the same size, for ``"supervised"``.
    mask : anything that `open_stack` takes, or "foreground", optional
        Where patches are taken from: where it is not zero, or where something is to be seen.

    Raises
    ------
    TrainingError
        If image, target or mask cannot be trained with.
    FileNotFoundError, ValueError, StackReadError
        If one of them cannot be opened, as `open_stack`.
    """
    with ExitStack() as opening:
        noisy = _opened(stack, opening)
        check_sides(noisy)
        clean = None if target is None else _opened(target, opening)
        is_file = isinstance(mask, Path | str) and mask != FOREGROUND
        where = _opened(mask, opening) if is_file else mask
        if is_file and (axes := axes_like(where, noisy)):
            where = _opened(mask, opening, axes)
        asked = settings or TrainingSettings()
        data = TrainingData.prepare(noisy, asked, target=clean, mask=where)
        opening.callback(data.close)
        settings = data.settings
        network = network_settings(settings, data.channels)
        return TrainingPlan(
            settings,
            data,
            noisy.source,
            "" if clean is None else clean.source,
            words(settings, network, data),
            opening.pop_all(),
        )


def train(
    stack: Any,
    model_out: str | Path,
    *,
    target: Any = None,
    mask: Any = None,
    settings: TrainingSettings | None = None,
    device: str | torch.device = "auto",
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
    cancel: Callable[[], Stop | None] | None = None,
    on_start: Callable[[Trainer], None] | None = None,
) -> Path:
    """Train a denoiser on an image, and write it.

    Parameters
    ----------
    stack : anything that `open_stack` takes, or TrainingPlan
        The noisy image. A plan brings target, mask and settings; it is left open.
    model_out : str or Path
        The model's file: ``.safetensors``.
    target, mask, settings
        As `plan_training`.
    device : str or torch.device
        Where it computes.
    resume : bool
        Whether to go on from the checkpoint beside the model, where there is one. Settings and
        image must be those of then.
    overwrite : bool
        Whether a model (without `resume` also a checkpoint) that is there may be replaced.
    progress : callable, optional
        Told how far it is.
    cancel : callable, optional
        Asked between steps: None goes on, `Stop.USE` writes the model from the weights so far,
        `Stop.PAUSE` only the checkpoint. Both can be resumed.
    on_start : callable, optional
        Given the `Trainer` before its first step, for previews by ``snapshot()``.

    Returns
    -------
    Path
        The model; after `Stop.PAUSE` the checkpoint. A checkpoint that may be overwritten stays
        until there is one of this training.

    Raises
    ------
    TrainingError
        If it cannot begin or go on. The last checkpoint is kept.
    OSError
        If the model or a checkpoint is there already and may not be replaced, another training
        makes that model, or there is no room for the model; the last checkpoint is kept.
    """
    path, kept = Path(model_out), checkpoint_of(model_out)
    check_model_out(path, resume=resume, overwrite=overwrite)
    with ExitStack() as held:
        held.enter_context(only_training_of(path))
        # another one may have ended since
        check_model_out(path, resume=resume, overwrite=overwrite)
        plan = stack
        if not isinstance(stack, TrainingPlan):
            plan = held.enter_context(plan_training(stack, settings, target=target, mask=mask))
        elif not (target is None and mask is None and settings is None):
            raise TypeError("a plan brings target, mask and settings: give none beside it")
        return _run(plan, path, kept, resume, device, progress, cancel, on_start)


def _run(
    plan: TrainingPlan,
    path: Path,
    kept: Path,
    resume: bool,
    device: str | torch.device,
    progress: Callable[[TrainingProgress], None] | None,
    cancel: Callable[[], Stop | None] | None,
    on_start: Callable[[Trainer], None] | None,
) -> Path:
    trainer = Trainer(plan.data, plan.settings, device=device, checkpoint=kept, resume=resume)
    check_room(path, sum(each.nbytes for each in trainer.snapshot().state_dict().values()))
    if on_start is not None:
        on_start(trainer)
    asked: list[Stop] = []

    def stop() -> Stop | None:
        said = cancel() if cancel is not None else None
        if said is not None:
            asked.append(said)
        return said

    result = trainer.run(cancel=stop, progress=progress)
    if Stop.PAUSE in asked:
        if not result.step:
            trainer.save()
        if trainer.not_kept is not None:
            raise TrainingError(
                f"the state of step {result.step} is not kept: {trainer.not_kept}", "checkpoint"
            )
        return kept
    if not result.step:
        raise TrainingError("the training was stopped before its first step: nothing to use yet")
    save_trained(
        path,
        result.network,
        settings=trainer.network_settings,
        axes="YX" if plan.settings.spatial_dims == 2 else "ZYX",
        statistics=plan.data.statistics,
        training=history(plan.data, trainer, result, plan.source, plan.target),
        test_input=test_patch(plan.data),
    )
    # one that was stopped can be gone on with
    if result.stopped != "cancelled":
        kept.unlink(missing_ok=True)
    return path


def _opened(source: Any, opening: ExitStack, axes: str | None = None) -> ImageStack:
    stack = open_stack(source, axes)
    if stack is not source:
        opening.callback(close_stack, stack)
    return stack
