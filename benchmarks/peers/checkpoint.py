"""A checkpoint that CAREamics writes, with weights that are the same in every run."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL = {"depth": 2, "num_channels_init": 32}


def quiet() -> None:
    """Nothing of what Lightning and CAREamics say of each run."""
    warnings.simplefilter("ignore")
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "careamics"):
        logging.getLogger(name).setLevel(logging.ERROR)


def noisy_image(size: int) -> NDArray[np.uint16]:
    """A square plane of smooth structure with photon noise."""
    rng = np.random.default_rng(0)
    at = np.arange(size, dtype=np.float32)
    smooth = np.sin(at / 17)[:, None] * np.cos(at / 23) + np.sin((at[:, None] + at) / 61)
    return rng.poisson(300 + 100 * smooth).astype(np.uint16)


def make_checkpoint(
    folder: Path, *, normalization: str = "mean_std", model: dict[str, int] | None = None
) -> Path:
    """Let CAREamics train one step of its own N2V, and put fixed random weights in its checkpoint.

    The checkpoint is whole: its configuration and grey levels are those that CAREamics wrote.

    Parameters
    ----------
    folder : pathlib.Path
        Where to; CAREamics writes more there.
    normalization : str
        CAREamics' name of it.
    model : dict, optional
        Sizes of the UNet; default: two levels, 32 channels in the first.
    """
    import torch
    from careamics import CAREamist
    from careamics.config.factories import create_advanced_n2v_config

    config = create_advanced_n2v_config(
        experiment_name="compared",
        data_type="array",
        axes="YX",
        patch_size=(64, 64),
        batch_size=1,
        num_epochs=1,
        num_steps=1,
        num_workers=0,
        n_val_patches=1,
        normalization=normalization,
        model_params=model or MODEL,
        # predicting asks for a device by the same words
        trainer_params={"accelerator": "cpu"},
        seed=1,
    )
    CAREamist(config, work_dir=folder, enable_progress_bar=False).train(
        train_data=noisy_image(256).astype(np.float32)
    )
    (last,) = folder.rglob("*last.ckpt")
    content = torch.load(last, map_location="cpu", weights_only=False)
    randomize(content["state_dict"])
    path = folder / f"{normalization}.ckpt"
    torch.save(content, path)
    return path


def randomize(weights: dict[str, Any]) -> None:
    """Weights and BatchNorm statistics as if trained: spread, and no channel dead."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for name, value in weights.items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("running_mean"):
            value.uniform_(-0.2, 0.2, generator=generator)
        elif value.ndim == 4:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith("bias"):
            value.uniform_(-0.1, 0.1, generator=generator)
