"""Sample images for napari's *File → Open Sample* menu: noisy, with their clean versions.

Generated in about a second, the same every time, and then kept; nothing is downloaded. What they
are made with is imported then: of the dock's opening it would take a fifth.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.types import LayerData

    from napari_tessera.widgets.sample_images import Floats


def noisy_2d() -> list[LayerData]:
    """Filament networks of cultured cells, YX 1024×1024 with 0.108 µm pixels.

    Returns
    -------
    list of LayerData
        ``clean cells`` (float32, hidden) and above it ``noisy cells`` (uint16): one exposure of
        few photons, Poisson noise and read-out noise. Both in the camera's grey levels.
    """
    from napari_tessera.widgets.sample_images import PIXEL_2D, cells

    return _layers(
        cells,
        "cells",
        seed=1,
        axis_labels=("Y", "X"),
        scale=(PIXEL_2D, PIXEL_2D),
        units=("micrometer", "micrometer"),
    )


def noisy_3dt() -> list[LayerData]:
    """Drifting, bleaching nuclei and vesicles, TZYX 5×12×256×256.

    Returns
    -------
    list of LayerData
        ``clean nuclei`` (float32, hidden) and above it ``noisy nuclei`` (uint16), 30 s between
        time points, voxels of 1 × 0.325 × 0.325 µm. Both in the camera's grey levels.
    """
    from napari_tessera.widgets.sample_images import INTERVAL, VOXEL, moving_nuclei

    return _layers(
        moving_nuclei,
        "nuclei",
        seed=2,
        axis_labels=("T", "Z", "Y", "X"),
        scale=(INTERVAL, *VOXEL),
        units=("second", "micrometer", "micrometer", "micrometer"),
    )


def _layers(expected: Callable[[], Floats], name: str, seed: int, **where: Any) -> list[LayerData]:
    clean, noisy = _recorded(expected, seed)
    # Black is where the noise begins, white what the brightest structures really reach.
    darkest = float(np.percentile(noisy[..., ::2, ::2], 1))
    brightest = float(np.percentile(clean[..., ::2, ::2], 99.95))
    look = {"contrast_limits": (round(darkest), round(brightest)), "colormap": "gray", **where}
    # Copies: pixels of a layer can be written to, those of the next sample opened stay as they are.
    return [
        (clean.copy(), {**look, "name": f"clean {name}", "visible": False}, "image"),
        (noisy.copy(), {**look, "name": f"noisy {name}"}, "image"),
    ]


@cache
def _recorded(expected: Callable[[], Floats], seed: int) -> tuple[Floats, NDArray[np.uint16]]:
    """Grey levels without noise, and of one exposure."""
    from napari_tessera.widgets.sample_images import Camera

    photons, camera = expected(), Camera()
    return camera.expected(photons), camera.record(photons, np.random.default_rng(seed))
