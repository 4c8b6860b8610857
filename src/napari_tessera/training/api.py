"""Training in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.training.loop.progress import TrainingProgress
from napari_tessera.training.loop.trainer import Trainer
from napari_tessera.training.settings import TrainingSettings
from napari_tessera.training.stop import Stop

if TYPE_CHECKING:
    import torch

    from napari_tessera.training.data.source import BatchSource


@dataclass(frozen=True)
class TrainingPlan:
    """A training, decided.

    Parameters
    ----------
    settings : TrainingSettings
        With every default resolved.
    data : BatchSource
        Patches of the image; `train` closes the ones that it makes itself.
    summary : tuple of str
        What is about to happen, in lines for people.
    """

    settings: TrainingSettings
    data: BatchSource
    summary: tuple[str, ...]


def checkpoint_of(model_out: str | Path) -> Path:
    """Where the state of a training is kept while it goes on: beside the model it makes."""
    path = Path(model_out)
    return path.with_name(f"{path.name}.training")


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
    mask : array, ImageStack or "foreground", optional
        Where patches are taken from: not zero, or where something is to be seen.

    Raises
    ------
    TrainingError
        If image, target or mask cannot be trained with.
    """
    raise NotImplementedError


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
    stack, target, mask, settings
        As `plan_training`; a `TrainingPlan` in the place of `stack` brings all of them.
    model_out : str or Path
        The model's file: ``.safetensors``.
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
        `Stop.PAUSE` only the checkpoint.
    on_start : callable, optional
        Given the `Trainer` before its first step, for previews by ``snapshot()``.

    Returns
    -------
    Path
        The model; after `Stop.PAUSE` the checkpoint.

    Raises
    ------
    TrainingError
        If it cannot begin or go on. The last checkpoint is kept.
    FileExistsError
        If the model or a checkpoint is there already, and may not be replaced.
    """
    raise NotImplementedError
