"""Trainings that were stopped, as their checkpoints tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.widgets.training.box import Curve

if TYPE_CHECKING:
    from napari_tessera.training.settings import TrainingSettings


@dataclass(frozen=True)
class Unfinished:
    """A training that can go on.

    Parameters
    ----------
    model_out : Path
        The model's file.
    settings : TrainingSettings
        Those of then, all decided: with others it could not go on.
    step : int
        Steps done.
    curve : Curve
        Losses so far.
    """

    model_out: Path
    settings: TrainingSettings
    step: int
    curve: Curve


def read_unfinished(model_out: Path) -> Unfinished:
    """Read what can go on; takes longer than the GUI thread has.

    Raises
    ------
    TrainingError
        If the checkpoint cannot be read.
    OSError
        If it is gone.
    """
    from napari_tessera.training import checkpoint_of
    from napari_tessera.training.loop.checkpoint import read_checkpoint

    found = read_checkpoint(checkpoint_of(model_out))
    curve = Curve()
    points = found.values.get("curve", {}).get("points", ())
    for step, training, validation in points:
        curve = curve.with_point(step, training, validation)
    return Unfinished(model_out, found.settings, found.step, curve)
