"""A picture for a package: the noisy image and what the model makes of it, side by side."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 256
"""Pixels of each half: covers are 2:1 and smaller than 500 kB."""


def cover_png(noisy: NDArray[np.float32], denoised: NDArray[np.float32]) -> bytes:
    """Draw both with the same contrast: quantiles 0.5 % and 99.5 % of the noisy image.

    Parameters
    ----------
    noisy, denoised : numpy.ndarray
        NC(Z)YX; the first channel of the first sample is drawn, of a volume its middle plane. A
        model that was trained towards other grey levels has a contrast of its own.

    Returns
    -------
    bytes
        PNG, 512 × 256 px.
    """
    left, right = _plane(noisy), _plane(denoised)
    low, high = np.quantile(left, (0.005, 0.995))
    if not low <= float(np.median(right)) <= high:
        drawn = [_drawn(left, low, high), _drawn(right, *np.quantile(right, (0.005, 0.995)))]
    else:
        drawn = [_drawn(plane, low, high) for plane in (left, right)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(drawn, axis=1)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _plane(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """A square plane."""
    plane = image[0, 0]
    plane = plane[len(plane) // 2] if plane.ndim == 3 else plane
    side = min(plane.shape)
    square: NDArray[np.float32] = plane[:side, :side]
    return square


def _drawn(plane: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    scaled = np.clip((plane - low) / max(high - low, 1e-30), 0, 1) * 255
    picture = Image.fromarray(scaled.astype(np.uint8))
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST))
