"""Networks as if they had been trained, saved as this package saves them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_tessera.models.architectures import UNet, UNetSettings
from napari_tessera.models.own_format import save_trained

TRAINING: dict[str, Any] = {
    "method": "n2v",
    "settings": {"method": "n2v", "batch_size": 16, "patch_size": [64, 64], "seed": 3},
    "steps": 4000,
    "seconds": 201.3,
    "losses": [[100, 0.5, None], [200, 0.41, 0.39]],
    "data": {"source": "/home/ada/secret/cells.tif"},
    "software": "napari-tessera 9.9",
}


@dataclass(frozen=True)
class Levels:
    means: tuple[float, ...]
    stds: tuple[float, ...]
    target_means: tuple[float, ...] | None = None
    target_stds: tuple[float, ...] | None = None


def network(settings: UNetSettings, seed: int = 0) -> UNet:
    """Weights as after a training: statistics of batches, and channels that are not dead."""
    torch.manual_seed(seed)
    net = UNet(settings)
    randomized(net, seed)
    return net


def randomized(module: nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.2, 0.5, generator=generator)
        elif name.endswith("running_mean"):
            value.uniform_(-0.2, 0.1, generator=generator)
        elif name.endswith("num_batches_tracked"):
            value.fill_(3)
        elif name.endswith(("conv1.weight", "conv2.weight")):
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)


def levels(settings: UNetSettings, *, target: bool = False, mean: float = 120.5) -> Levels:
    """Other numbers for each channel."""
    given = tuple(mean + 10 * i for i in range(settings.in_channels))
    made = tuple(700.25 + 50 * i for i in range(settings.out_channels))
    return Levels(
        given,
        tuple(20.7 + i for i in range(settings.in_channels)),
        made if target else None,
        tuple(90.1 + i for i in range(settings.out_channels)) if target else None,
    )


def image(settings: UNetSettings, statistics: Levels, *sizes: int) -> NDArray[np.float32]:
    """Noise with the grey levels of a training, C(Z)YX."""
    noise = np.random.default_rng(5).normal(size=(settings.in_channels, *sizes))
    along = (-1, *(1,) * len(sizes))
    return (
        noise * np.reshape(statistics.stds, along) + np.reshape(statistics.means, along)
    ).astype(np.float32)


def saved(
    path: Path,
    settings: UNetSettings | None = None,
    *,
    target: bool = False,
    mean: float = 120.5,
    test: bool = True,
    training: dict[str, Any] | None = None,
    **further: Any,
) -> Path:
    """Save a network."""
    settings = settings or UNetSettings(2, depth=2, features=8)
    statistics = levels(settings, target=target, mean=mean)
    sizes = (40, 44) if settings.spatial_dims == 2 else (8, 20, 24)
    method = "supervised" if target else "n2v2" if settings.n2v2 else "n2v"
    return save_trained(
        path,
        network(settings),
        settings=settings,
        axes="YX" if settings.spatial_dims == 2 else "ZYX",
        statistics=statistics,
        training=TRAINING | {"method": method} if training is None else training,
        test_input=image(settings, statistics, *sizes) if test else None,
        **further,
    )
