"""Checkerboards: what of an image changes sign from each pixel to the next."""

from __future__ import annotations

import numpy as np
from benchmarks.quality_parts.noise import Image

CORNERS = ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))
"""Cycles a pixel along Y and X: stripes along X, stripes along Y, the checkerboard."""

NEAR = 1 / 16
"""How far around a corner counts, cycles a pixel."""

PEAK, AROUND = 1 / 64, 1 / 8
"""For a peak at a corner: how far it goes, and how far what it stands out from."""


def power(image: Image) -> Image:
    """Power of each frequency; the mean taken out, edges faded by a Hann window.

    The image is no period of anything: without the window its edges would show at all corners.

    Parameters
    ----------
    image : numpy.ndarray
        YX. White noise has its variance at every frequency, whatever the size.
    """
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    return np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 / np.sum(window**2)


def distances(shape: tuple[int, ...]) -> list[Image]:
    """Of each frequency from each corner, cycles a pixel."""
    along = [np.abs(np.fft.fftfreq(size)) for size in shape]
    return [np.hypot((along[0] - corner[0])[:, None], along[1] - corner[1]) for corner in CORNERS]


def nyquist_energy(image: Image) -> float:
    """Mean power near the three corners, grey levels squared."""
    spectrum = power(image)
    near = np.logical_or.reduce([distance <= NEAR for distance in distances(image.shape)])
    return float(spectrum[near].mean())


def nyquist_peak(image: Image) -> float:
    """Power at the corner that stands out most, relative to that around it: 1 where none does."""
    spectrum = power(image)
    found = []
    for distance in distances(image.shape):
        around = spectrum[(distance > 2 * PEAK) & (distance <= AROUND)].mean()
        found.append(spectrum[distance <= PEAK].mean() / around if around else 1.0)
    return float(max(found))
