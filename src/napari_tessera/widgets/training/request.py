"""What the dock asks to be trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.training.settings import TrainingSettings

if TYPE_CHECKING:
    from napari.layers import Image, Layer

AUTO_DEVICE = "auto"

METHOD_NAMES = {
    "n2v": "Noise2Void",
    "n2v2": "Noise2Void 2",
    "supervised": "With clean layer",
}
"""What people read for a method."""


@dataclass(frozen=True)
class TrainingRequest:
    """A training, as it is set up in the dock.

    Parameters
    ----------
    layer : napari.layers.Image
        The noisy image.
    axes : str or None
        Its axes where they were told; None where they are guessed.
    settings : TrainingSettings
        What is asked for.
    model_out : Path
        The model's file.
    target : napari.layers.Image, optional
        The clean image.
    mask : napari.layers.Layer or "foreground", optional
        Where patches are taken from; None: everywhere.
    device : str
        ``"auto"`` or a torch device.
    resume : bool
        Whether to go on from the checkpoint beside the model.
    overwrite : bool
        Whether a model (without ``resume`` a checkpoint, too) that is there may be replaced.
    """

    layer: Image
    axes: str | None
    settings: TrainingSettings
    model_out: Path
    target: Image | None = None
    mask: Layer | str | None = None
    device: str = AUTO_DEVICE
    resume: bool = False
    overwrite: bool = False
