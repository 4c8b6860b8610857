"""What a training is and was, in words and in values that a model's file keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import napari_tessera
from napari_tessera.models.architectures.unet_settings import UNetSettings
from napari_tessera.models.own_format.document import EPSILON
from napari_tessera.models.own_format.history import METHOD_NAMES
from napari_tessera.training.loop.progress import TrainingResult
from napari_tessera.training.loop.trainer import Trainer
from napari_tessera.training.settings import TrainingSettings

if TYPE_CHECKING:
    from napari_tessera.training.data.training_data import TrainingData


def words(settings: TrainingSettings, network: UNetSettings, data: TrainingData) -> tuple[str, ...]:
    """Say what is about to happen, in lines.

    Parameters
    ----------
    settings : TrainingSettings
        With every default resolved.
    network : UNetSettings
        What is trained.
    data : TrainingData
        What it is trained on.
    """
    method = METHOD_NAMES[settings.method]
    patch = " × ".join(map(str, settings.patch_size or ()))
    struct = f", {settings.struct_span} px in a row along {settings.struct_axis}"
    hidden = ""
    if settings.self_supervised:
        hidden = f", {settings.masked_percent:g} % of the pixels hidden"
        hidden += struct if settings.struct_axis else ""
    channels = f"{network.in_channels} channel{'s' if network.in_channels > 1 else ''}"
    if network.in_channels > 1:
        channels += ", each by itself" if network.independent else ", together"
    step = "step" if settings.steps == 1 else "steps"
    return (
        f"{method[0].upper()}{method[1:]} in {settings.spatial_dims}D{hidden}",
        f"{settings.steps:,} {step} of {settings.batch_size} patches of {patch} px",
        f"U-Net of depth {network.depth} with {network.features} features; {channels}",
        *data.summary,
    )


def history(
    data: TrainingData, trainer: Trainer, result: TrainingResult, source: str, target: str
) -> dict[str, Any]:
    """How a model came about: plain values for JSON, kept in its file.

    Parameters
    ----------
    data : TrainingData
        What it was trained on.
    trainer : Trainer
        What trained it.
    result : TrainingResult
        What came of it.
    source, target : str
        Where the images come from.
    """
    settings = trainer.settings
    return {
        "method": settings.method,
        "settings": settings.to_json(),
        "seed": settings.seed,
        "data": {
            "source": source,
            "target": target or None,
            "fingerprint": data.fingerprint,
            "held_out": data.held_out,
        },
        "steps": result.step,
        "network_step": result.network_step,
        "stopped": result.stopped,
        "seconds": round(result.seconds, 3),
        "losses": [list(point) for point in result.losses],
        "notices": list(result.notices),
        "device": str(trainer.device),
        "precision": trainer.precision,
        "software": f"napari-tessera {napari_tessera.__version__}",
    }


def test_patch(data: TrainingData) -> NDArray[np.float32]:
    """A patch of the image, C(Z)YX in grey levels, for the model's own test.

    It is of the part that is held out, where there is one.
    """
    batch = next(data.validation_batches(1), None) or data.training_batch(0, 1)
    patch = batch.noisy[0].numpy()
    shape = (-1, *[1] * (patch.ndim - 1))
    means, stds = (
        np.asarray(each, dtype=np.float32).reshape(shape)
        for each in (data.statistics.means, data.statistics.stds)
    )
    return np.asarray(patch * (stds + np.float32(EPSILON)) + means, dtype=np.float32)
