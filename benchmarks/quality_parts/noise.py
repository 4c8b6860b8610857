"""What noise a detector adds: its variance is a straight line over the clean grey level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

WHITE = 255.0
"""The grey level of white, and the data range of all figures."""

FEWEST = 50
"""Pixels of one clean grey level from which a variance is taken."""


@dataclass(frozen=True)
class Noise:
    """Photon noise and read-out noise: the variance is gain · (clean − offset) + read_out².

    Parameters
    ----------
    gain : float
        Grey levels a photon; 0 where the noise is Gaussian, and the same everywhere.
    read_out : float
        Standard deviation of what does not depend on the light, grey levels.
    offset : float
        Grey level without light.
    """

    gain: float
    read_out: float
    offset: float = 0.0

    @property
    def is_gaussian(self) -> bool:
        return self.gain == 0

    def added_to(self, clean: Image, seed: int) -> Image:
        """The clean image with noise of this kind, neither clipped nor rounded.

        Parameters
        ----------
        clean : numpy.ndarray
            Grey levels, any shape.
        seed : int
            Of `numpy.random.default_rng`.
        """
        rng = np.random.default_rng(seed)
        noisy = clean
        if self.gain:
            noisy = self.gain * rng.poisson((clean - self.offset) / self.gain) + self.offset
        if self.read_out:
            noisy = noisy + rng.normal(0, self.read_out, clean.shape)
        return noisy


def gaussian(sigma: float) -> Noise:
    """Noise of one standard deviation, grey levels."""
    return Noise(0.0, sigma)


def poisson(peak: float, read_out: float = 0.0) -> Noise:
    """Photon noise where white is `peak` photons."""
    return Noise(WHITE / peak, read_out)


def fitted(noisy: Image, clean: Image, *, offset: bool) -> Noise:
    """The line through the variances of a pair, each of them weighted by its pixels.

    The least squares have squared differences of all pixels of one clean grey level as one value.

    Parameters
    ----------
    noisy, clean : numpy.ndarray
        One shot, and the mean of many; whole grey levels in the latter.
    offset : bool
        Where the line is below 0 at black: whether it is moved there (detectors whose black is a
        grey level above 0), or goes through black with no read-out noise.

    Raises
    ------
    ValueError
        If the variance does not grow with the light.
    """
    levels, place, pixels = np.unique(clean, return_inverse=True, return_counts=True)
    squares = np.bincount(place.ravel(), weights=((noisy - clean) ** 2).ravel())
    enough = pixels >= FEWEST
    if enough.sum() < 2:
        raise ValueError(
            f"{enough.sum()} clean grey levels have {FEWEST} pixels or more: a line wants two"
        )
    gain, black = np.polyfit(
        levels[enough], (squares / pixels)[enough], 1, w=np.sqrt(pixels[enough])
    )
    if gain <= 0:
        raise ValueError(f"the variance falls by {-gain:.3g} a grey level: this is no photon noise")
    if black >= 0:
        return Noise(float(gain), float(np.sqrt(black)))
    return Noise(float(gain), 0.0, float(-black / gain) if offset else 0.0)
