"""``napari-tessera train`` of something tiny, to its end or not."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_tessera.training.data.source import Batch
from napari_tessera.training.data.training_data import TrainingData

Command = Callable[..., Any]

TINY = (
    "--steps", "12", "--depth", "1", "--features", "4", "--patch-size", "16", "--batch-size", "4",
    "--validate-every", "4", "--device", "cpu", "--threads", "1",
)  # fmt: skip


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def stopped_after(
    step: int, command: Command, *words: str | Path, signum: signal.Signals = signal.SIGINT
) -> Any:
    """Run ``train`` with a signal that comes while the batch of a step is made."""
    batch_of = TrainingData.training_batch

    def training_batch(self: TrainingData, at: int, batch_size: int) -> Batch:
        if at == step:
            signal.raise_signal(signum)
        return batch_of(self, at, batch_size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingData, "training_batch", training_batch)
        return command("train", *words, *TINY)
