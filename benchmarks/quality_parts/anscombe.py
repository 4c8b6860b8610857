"""The generalized Anscombe transform and the ways back from it.

After it photon and read-out noise have a standard deviation of about 1 everywhere, so that what was
made for Gaussian noise can be used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from benchmarks.quality_parts.noise import Image, Noise

_LEAST = 2 * np.sqrt(3 / 8)
"""The transform of no photon."""


def stabilized(image: Image, noise: Noise) -> Image:
    """2 √(x + 3/8 + σ²), where x are photons and σ the read-out noise in photons; no unit.

    Starck, Murtagh, Bijaoui, *Image Processing and Data Analysis*, Cambridge 1998, section 2.5.

    Parameters
    ----------
    image : numpy.ndarray
        Grey levels, of any shape.
    noise : Noise
        Not Gaussian.
    """
    photons = (image - noise.offset) / noise.gain
    return 2 * np.sqrt(np.maximum(photons + 3 / 8 + (noise.read_out / noise.gain) ** 2, 0))


def unbiased(transformed: Image, noise: Noise) -> Image:
    """Grey levels whose noisy shots have, transformed, this mean.

    The closed form of the exact unbiased inverse: Mäkitalo, Foi, *A closed-form approximation of
    the exact unbiased inverse of the Anscombe variance-stabilizing transformation*, IEEE Trans.
    Image Process. 20, 2697 (2011), and for read-out noise the same less σ²: *Optimal inversion of
    the generalized Anscombe transformation for Poisson-Gaussian noise*, 22, 91 (2013). There are no
    fewer than no photons.
    """
    d = np.maximum(transformed, _LEAST)
    root = np.sqrt(3 / 2)
    photons = d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + 5 * root / 8 / d**3 - 1 / 8
    photons = photons - (noise.read_out / noise.gain) ** 2
    return noise.gain * np.maximum(photons, 0) + noise.offset


def algebraic(transformed: Image, noise: Noise) -> Image:
    """The transform solved for the grey level: too dark where photons are few."""
    photons = transformed**2 / 4 - 3 / 8 - (noise.read_out / noise.gain) ** 2
    return noise.gain * photons + noise.offset


INVERSES: dict[str, Callable[[Image, Noise], Image]] = {
    "unbiased": unbiased,
    "algebraic": algebraic,
}
