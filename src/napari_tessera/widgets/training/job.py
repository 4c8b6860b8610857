"""One training, as a thread does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.training.settings import TrainingSettings
from napari_tessera.widgets.training.box import Live, TrainingBox
from napari_tessera.widgets.training.pace import PaceBook
from napari_tessera.widgets.training.places import models_folder
from napari_tessera.widgets.training.wish import StopWish
from napari_tessera.widgets.worker import model_threads

if TYPE_CHECKING:
    from napari_tessera.training import Trainer


@dataclass(frozen=True)
class TrainingOrder:
    """All that a training needs; nothing of Qt or of a layer.

    Parameters
    ----------
    stack, target : ImageStack
        Noisy image, and the clean one where there is one.
    mask : callable
        Gives what `plan_training` takes as a mask; drawing it takes time.
    settings : TrainingSettings
        What is asked for.
    model_out : Path
        The model's file.
    device : str
        Where it computes.
    resume : bool
        Whether to go on from the checkpoint.
    overwrite : bool
        Whether a model (without ``resume`` a checkpoint, too) that is there may be replaced.
    book : PaceBook
        Where the speed is noted, under ``pace_key``.
    """

    stack: Any
    settings: TrainingSettings
    model_out: Path
    mask: Callable[[], Any]
    device: str
    book: PaceBook
    pace_key: str
    target: Any = None
    resume: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class TrainingEnd:
    """How a training ended that did not fail.

    Parameters
    ----------
    model : Path or None
        The model; None where only a checkpoint was kept.
    """

    model: Path | None


def run_training(order: TrainingOrder, box: TrainingBox, wish: StopWish) -> TrainingEnd:
    """Train, from the first look at the image to the file.

    Parameters
    ----------
    order : TrainingOrder
        What to train.
    box : TrainingBox
        Told how it goes.
    wish : StopWish
        Ends it.

    Raises
    ------
    TrainingError
        If it cannot begin or go on.
    OSError
        If the model is there already, or cannot be written.
    """
    import torch

    from napari_tessera.models.recent import remember_model
    from napari_tessera.training import checkpoint_of, plan_training, train

    # one core is left to the window, which could not be used otherwise
    torch.set_num_threads(model_threads())
    # people never made the folder that is offered
    if order.model_out.parent == models_folder():
        models_folder().mkdir(parents=True, exist_ok=True)
    mask = order.mask()

    def begin(trainer: Trainer) -> None:
        box.live = Live(trainer)
        for warning in plan.data.warnings:
            box.say(warning)

    with plan_training(order.stack, order.settings, target=order.target, mask=mask) as plan:
        try:
            path = train(
                plan,
                order.model_out,
                device=order.device,
                resume=order.resume,
                overwrite=order.overwrite,
                progress=box.put,
                cancel=wish,
                on_start=begin,
            )
        finally:
            box.live = None
    progress, _ = box.now()
    if progress is not None and progress.patches_per_second:
        batch = plan.settings.batch_size or 1
        order.book.note(order.pace_key, batch / progress.patches_per_second)
    if path == checkpoint_of(order.model_out):
        return TrainingEnd(None)
    remember_model(path)
    return TrainingEnd(path)
