"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.training.loop.progress import TrainingProgress, TrainingResult
from napari_tessera.training.settings import TrainingSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_tessera.training.data.source import BatchSource


class Trainer:
    """Trains a U-Net on batches.

    Parameters
    ----------
    data : BatchSource
        Where batches come from.
    settings : TrainingSettings
        What is asked for, with every default resolved.
    device : str or torch.device
        Where it computes; ``"auto"`` is the first of ``available_devices``.
    checkpoint : Path, optional
        File that the state is kept in: gone on from where there is one, written every minute and
        when the training is cancelled.
    info : mapping, optional
        Plain values for JSON that are kept in the checkpoint.
    """

    def __init__(
        self,
        data: BatchSource,
        settings: TrainingSettings,
        *,
        device: str | torch.device = "auto",
        checkpoint: Path | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        raise NotImplementedError

    def run(
        self,
        *,
        cancel: Callable[[], object] | None = None,
        progress: Callable[[TrainingProgress], None] | None = None,
    ) -> TrainingResult:
        """Train to the end, or until cancelled.

        Parameters
        ----------
        cancel : callable, optional
            Asked between steps; anything true ends the training.
        progress : callable, optional
            Told how far it is: a few times a second at most, in this thread.
        """
        raise NotImplementedError

    def snapshot(self) -> nn.Module:
        """The averaged weights as they are now: a copy in evaluation mode, on the CPU.

        From any thread, at any time, while `run` goes on or not.
        """
        raise NotImplementedError
