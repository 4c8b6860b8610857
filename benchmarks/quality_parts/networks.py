"""Ways to denoise with a network, run as users run it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.quality_parts.cases import Case
from benchmarks.quality_parts.noise import WHITE, Image

from napari_tessera import load_model, predict


@dataclass(frozen=True)
class Network:
    """A model, loaded.

    Parameters
    ----------
    name : str
        As it was given.
    version : str
        A hash of what decides its output, as files are trained anew under the same name.
    spatial_dims : int
        Of what it takes at once: 2 or 3.
    run : callable
        Of the noisy image, in the dtype of its file; gives grey levels.
    """

    name: str
    version: str
    spatial_dims: int
    run: Callable[[np.ndarray], Image]

    def __call__(self, case: Case) -> tuple[Image, str]:
        return self.run(case.noisy), ""


def ours(source: str) -> Network:
    """`predict` with the settings that nobody changed; loading is no part of it."""
    model = load_model(source, device="cpu")
    return Network(
        source, model.sha256, model.info.spatial_dims, lambda image: _quietly(image, model)
    )


def dncnn(path: Path) -> Network:
    """A network that wants grey levels of 0 to 1 and noise of σ 25 of 255, whatever is there."""
    model = load_model(path, device="cpu")

    def run(image: np.ndarray) -> Image:
        unit = image.astype(np.float32) / np.float32(WHITE)
        return WHITE * _quietly(unit, model, normalization="none").astype(np.float64)

    return Network("DnCNN, σ 25", model.sha256, 2, run)


def _quietly(image: np.ndarray, model: Any, **settings: Any) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return predict(image, model, **settings)
