"""Figures of docs/explanation/noise-models.md: what they are computed from, and the numbers."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate
from scipy.special import gammaln

from napari_tessera.prediction.autocorrelation import autocorrelation
from napari_tessera.widgets.sample_images import Camera

Numbers = NDArray[np.float64]

FLAT = 40.0
"""Photons in each pixel of the flat field on which noise is looked at."""

SIZE = 256
"""Edge of the flat field, px."""


@cache
def photon_transfer() -> dict[str, Any]:
    """Mean and variance of each pixel over a series, for a camera and for a photomultiplier."""
    rng = np.random.default_rng(8)
    ramp = np.broadcast_to(np.linspace(0, 120, 200), (60, 200))
    camera = Camera(offset=100.0, gain=2.2, read_noise=1.6)
    series = np.stack([camera.record(ramp.astype(np.float32), rng) for _ in range(100)])
    found: dict[str, Any] = {"camera": _binned(series.astype(np.float64)), "photons": ramp[0]}
    # pulses of unequal height, as exponential as those of a multiplying register: variance 1
    photons = rng.poisson(ramp, (100, *ramp.shape))
    pulses = 2.2 * np.where(photons > 0, rng.gamma(np.maximum(photons, 1)), 0)
    found["multiplied"] = _binned(100 + pulses)
    for name in ("camera", "multiplied"):
        mean, variance = found[name]
        slope, _ = np.polyfit(mean, variance, 1, w=1 / np.maximum(variance, 1))
        found[f"{name}_slope"] = float(slope)
    dark = camera.record(np.zeros((60, 200), np.float32), rng).astype(np.float64)
    found["offset"], found["dark_std"] = float(dark.mean()), float(dark.std())
    return found


def _binned(series: Numbers) -> tuple[Numbers, Numbers]:
    """Mean over rows of each column's mean and variance over the series."""
    return series.mean(axis=(0, 1)), series.var(axis=0, ddof=1).mean(axis=0)


def transfer_numbers() -> dict[str, Any]:
    found = photon_transfer()
    return {
        "gain": found["camera_slope"],
        "offset": found["offset"],
        "read_noise": found["dark_std"] / found["camera_slope"],
        "multiplied_slope": found["multiplied_slope"],
        "excess": found["multiplied_slope"] / 2.2,
    }


@cache
def kinds() -> dict[str, Numbers]:
    """Noise of several kinds, grey levels about 0, on a flat field."""
    rng = np.random.default_rng(12)

    def shot() -> Numbers:
        return rng.poisson(FLAT, (SIZE, SIZE)) - FLAT

    independent = shot()
    rows = 0.5 * shot() + rng.normal(0, 5, (SIZE, 1))
    lag = shot()
    slow = np.stack([lag[:, k : SIZE - 3 + k] * 0.5**k for k in range(4)]).sum(axis=0)
    turned = rotate(shot(), 7, order=1, reshape=False, mode="reflect")
    middle = slice(40, SIZE - 40)
    memory = io.BytesIO()
    eight_bits = np.clip(shot() + 128, 0, 255).astype(np.uint8)
    Image.fromarray(eight_bits).save(memory, "jpeg", quality=75)
    jpeg = np.asarray(Image.open(memory), np.float64)
    found = {
        "independent": independent,
        "rows": rows,
        "slow": slow,
        "turned": turned[middle, middle],
        "jpeg": jpeg,
        "smoothed": gaussian_filter(shot(), 1.0),
    }
    return {name: noise - noise.mean() for name, noise in found.items()}


NAMES = {
    "independent": "photons alone",
    "rows": "read-out of rows",
    "slow": "slow detector",
    "turned": "turned by 7°, linear",
    "jpeg": "JPEG, quality 75",
    "smoothed": "smoothed, σ 1 px",
}
"""What each kind of noise is called."""

AROUND = (2, 8)
"""How far the neighbours lie along Y and X from which a pixel is predicted, px."""


def predictable(noise: Numbers, hidden: int = 0) -> float:
    """Share of a pixel's noise that the best weighted sum of its neighbours tells.

    Parameters
    ----------
    noise : numpy.ndarray
        YX, of mean 0.
    hidden : int
        Pixels left and right in the same row that are hidden as well (structN2V's mask).
    """
    far_y, far_x = AROUND
    height, width = noise.shape[0] - 2 * far_y, noise.shape[1] - 2 * far_x
    columns = [
        noise[far_y + dy : far_y + dy + height, far_x + dx : far_x + dx + width].ravel()
        for dy in range(-far_y, far_y + 1)
        for dx in range(-far_x, far_x + 1)
        if dy or abs(dx) > hidden
    ]
    centre = noise[far_y : far_y + height, far_x : far_x + width].ravel()
    neighbours = np.stack(columns, axis=1)
    half = len(centre) // 2
    seen, rest = neighbours[:half], neighbours[half:]
    # a little more on the diagonal, as neighbours of smooth noise nearly tell one another
    products = seen.T @ seen + 1e-4 * half * noise.var() * np.eye(len(columns))
    weights = np.linalg.solve(products, seen.T @ centre[:half])
    # on the half that it was not fitted to
    left = centre[half:] - rest @ weights
    return float(1 - (left**2).mean() / (centre[half:] ** 2).mean())


SPANS = (5, 7, 17)
"""Lengths of structN2V's mask, the hidden pixel in the middle, px."""


def correlation_numbers() -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for name, noise in kinds().items():
        found = autocorrelation([noise.astype(np.float32)], 2)
        numbers[f"{name}_row"] = float(found[2, 3])
        numbers[f"{name}_column"] = float(found[3, 2])
        numbers[f"{name}_predictable"] = predictable(noise)
    for name in ("rows", "slow"):
        for span in SPANS:
            numbers[f"{name}_span_{span}"] = predictable(kinds()[name], hidden=span // 2)
    return numbers


def poisson_moments(function: Numbers, means: Numbers) -> tuple[Numbers, Numbers]:
    """Mean and deviation of a function of Poisson counts 0, 1, 2, …, summed over them."""
    counts = np.arange(len(function), dtype=np.float64)
    log = counts * np.log(means[:, None]) - means[:, None] - gammaln(counts + 1)
    probability = np.exp(log)
    mean = probability @ function
    return mean, np.sqrt(np.maximum(probability @ function**2 - mean**2, 0))


@cache
def anscombe() -> dict[str, Any]:
    """Anscombe's transform of Poisson counts: its deviation, and the bias of two inverses."""
    means = np.geomspace(0.1, 100, 61)
    counts = np.arange(400, dtype=np.float64)
    transformed = 2 * np.sqrt(counts + 3 / 8)
    mean, deviation = poisson_moments(transformed, means)
    _, plain = poisson_moments(counts, means)
    # what is denoised perfectly is the mean of the transformed counts
    return {
        "means": means,
        "deviation": deviation,
        "plain": plain,
        "algebraic": (mean / 2) ** 2 - 3 / 8,
        "unbiased": _closed_form(mean),
    }


def _closed_form(mean: Numbers) -> Numbers:
    """Mäkitalo and Foi's closed form of the exact unbiased inverse."""
    root = np.sqrt(1.5)
    made = mean**2 / 4 + root / 4 / mean - 11 / 8 / mean**2 + 5 * root / 8 / mean**3 - 1 / 8
    return np.maximum(made, 0)


def anscombe_numbers() -> dict[str, Any]:
    found = anscombe()
    at = {mean: int(np.argmin(np.abs(found["means"] - mean))) for mean in (1, 10)}
    return {
        "deviation_at_1": float(found["deviation"][at[1]]),
        "deviation_at_10": float(found["deviation"][at[10]]),
        "algebraic_at_1": float(found["algebraic"][at[1]]),
        "algebraic_at_10": float(found["algebraic"][at[10]]),
        "unbiased_at_1": float(found["unbiased"][at[1]]),
        "unbiased_at_10": float(found["unbiased"][at[10]]),
    }


NUMBERS = {
    "transfer": transfer_numbers,
    "correlation": correlation_numbers,
    "anscombe": anscombe_numbers,
}
