"""Generated fluorescence images with known clean versions, and the camera that records them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, rfftn
from scipy.ndimage import fourier_gaussian, gaussian_filter, map_coordinates

Floats = NDArray[np.float32]

PIXEL_2D = 0.108
"""Size of a pixel of the 2D image in µm."""

VOXEL = (1.0, 0.325, 0.325)
"""Size of a voxel of the volume in µm, Z first."""

INTERVAL = 30.0
"""Seconds between time points of the volume."""


@dataclass(frozen=True)
class Camera:
    """A camera that counts photons: grey level = offset + gain · (Poisson(photons) + read noise).

    Parameters
    ----------
    offset : float
        Grey level without light.
    gain : float
        Grey levels per photoelectron.
    read_noise : float
        Standard deviation of the read-out, in photoelectrons.
    """

    offset: float = 100.0
    gain: float = 2.2
    read_noise: float = 1.6

    def expected(self, photons: Floats) -> Floats:
        """Grey levels without noise, float32."""
        return (self.offset + self.gain * photons).astype(np.float32)

    def record(self, photons: Floats, rng: np.random.Generator) -> NDArray[np.uint16]:
        """Grey levels of one exposure, uint16, in the shape of the expected photon counts."""
        electrons = rng.poisson(photons) + rng.normal(0, self.read_noise, photons.shape)
        levels = np.rint(self.offset + self.gain * electrons)
        return np.clip(levels, 0, np.iinfo(np.uint16).max).astype(np.uint16)


def cells(size: int = 1024, seed: int = 7) -> Floats:
    """Expected photons of cultured cells: filament networks around nuclei.

    Parameters
    ----------
    size : int
        Edge of the image in pixels of 0.108 µm.
    seed : int
        The same seed gives the same image.

    Returns
    -------
    numpy.ndarray
        YX float32, about 1 photon in the background and 20 to 30 in the brightest structures.
    """
    rng = np.random.default_rng(seed)
    centres = _spread_out(rng, size, distance=215.0)
    lines, bodies, nuclei = (np.zeros((size, size), np.float32) for _ in range(3))
    bend = np.stack([5 * _unit_noise(rng, (size, size), 22.0) for _ in range(2)])
    grain = _unit_noise(rng, (size, size), 2.5) + _unit_noise(rng, (size, size), 7.0)
    for centre in centres:
        low = np.maximum(centre - 230, 0).astype(int)
        high = np.minimum(centre + 230, size).astype(int)
        box = (slice(low[0], high[0]), slice(low[1], high[1]))
        angle, brightness = rng.uniform(0, np.pi), np.float32(rng.lognormal(0, 0.25))
        along, across = rng.uniform(46, 60), rng.uniform(34, 42)
        dy, dx = (at + shift for at, shift in zip(_away(box, centre), bend[:, *box], strict=True))
        cos, sin = math.cos(angle), math.sin(angle)
        u = (dx * cos + dy * sin) / along
        v = (dy * cos - dx * sin) / across
        radius = np.hypot(u, v)
        inside = _soft_step((1 - radius) * 14)
        nucleus = inside * (1 + 0.3 * grain[box])
        for _ in range(int(rng.integers(2, 5))):
            at_u, at_v = (float(at) for at in rng.uniform(-0.45, 0.45, 2))
            nucleus -= 0.6 * np.exp(-(((u - at_u) / 0.14) ** 2) - ((v - at_v) / 0.16) ** 2)
        nuclei[box] += brightness * np.maximum(nucleus, 0)
        bodies[box] += brightness * np.exp(-((radius / 1.9) ** 2)) * (1 - 0.75 * inside)
        grown = _filaments(rng, tuple(high - low), centre - low)
        lines[box] += brightness * grown * (1 - 0.75 * inside)
    lines = gaussian_filter(lines, 1.1)
    lines /= max(float(np.percentile(lines, 99.7)), 1e-6)
    photons: Floats = (
        1.2
        + 0.25 * _unit_noise(rng, (size, size), 90.0)
        + 4.0 * gaussian_filter(bodies, 4.0)
        + 6.0 * gaussian_filter(nuclei, 1.4)
        + 14.0 * np.minimum(lines, 1.6)
    )
    return np.maximum(photons, 0.5).astype(np.float32)


def moving_nuclei(shape: tuple[int, int, int, int] = (5, 12, 256, 256), seed: int = 11) -> Floats:
    """Expected photons of a bleaching tissue: nuclei that drift, vesicles that run.

    Parameters
    ----------
    shape : tuple of int
        TZYX shape; voxels are 1 × 0.325 × 0.325 µm, time points 30 s apart.
    seed : int
        The same seed gives the same images.

    Returns
    -------
    numpy.ndarray
        TZYX float32, about 1 photon in the background and 20 to 50 in the brightest structures;
        6 % less at each time point than at the one before.
    """
    rng = np.random.default_rng(seed)
    volume = np.array(shape[1:])
    n_nuclei = max(1, int(volume[1:].prod() // 1900))
    nuclei = _Nuclei(
        centres=_apart(rng, volume, n_nuclei),
        steps=rng.normal(0, (0.12, 2.2, 2.2), (n_nuclei, 3)),
        radii=rng.uniform((3.8, 12.0, 12.0), (4.8, 19.0, 19.0), (n_nuclei, 3)),
        angles=rng.uniform(0, np.pi, n_nuclei),
        brightness=rng.lognormal(0, 0.3, n_nuclei),
        chromatin=_unit_noise(rng, (16, 64, 64), (0.8, 2.2, 2.2)),
    )
    n_vesicles = max(1, int(volume.prod() // 2600))
    vesicles = rng.uniform(0, 1, (n_vesicles, 3)) * volume
    runs = rng.normal(0, (0.25, 4.5, 4.5), (n_vesicles, 3))
    strength = rng.lognormal(0, 0.25, n_vesicles)
    haze = gaussian_filter(_unit_noise(rng, shape[1:], (2.0, 25.0, 25.0)), 1.0)
    frames = []
    for t in range(shape[0]):
        places = (vesicles + t * runs + rng.normal(0, 0.4, vesicles.shape)) % volume
        spots = gaussian_filter(_deposit(shape[1:], places, strength), (0.7, 1.25, 1.25))
        bodies = gaussian_filter(nuclei.render(shape[1:], t), (0.6, 0.9, 0.9))
        photons = 1.2 + 0.2 * haze + 11.0 * bodies + 240.0 * spots
        frames.append(np.maximum(photons, 0.4) * 0.94**t)
    return np.stack(frames).astype(np.float32)


@dataclass(frozen=True)
class _Nuclei:
    """Textured ellipsoids that drift; one row per nucleus, lengths in voxels, ZYX."""

    centres: NDArray[np.float64]
    steps: NDArray[np.float64]
    radii: NDArray[np.float64]
    angles: NDArray[np.float64]
    brightness: NDArray[np.float64]
    chromatin: Floats

    def render(self, shape: tuple[int, ...], t: int) -> Floats:
        """Brightness in a volume at time point ``t``, about 1 inside a nucleus."""
        volume = np.zeros(shape, np.float32)
        for i, radii in enumerate(self.radii):
            centre = self.centres[i] + t * self.steps[i]
            low = np.maximum(np.floor(centre - 1.4 * radii.max()), 0).astype(int)
            high = np.minimum(np.ceil(centre + 1.4 * radii.max()) + 1, shape).astype(int)
            if np.any(high <= low):
                continue
            box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            z, y, x = _away(box, centre)
            cos, sin = math.cos(self.angles[i]), math.sin(self.angles[i])
            body = np.stack(np.broadcast_arrays(z, y * cos - x * sin, y * sin + x * cos))
            radius = np.sqrt(sum((at / float(r)) ** 2 for at, r in zip(body, radii, strict=True)))
            # The texture belongs to the nucleus and moves with it.
            at = body + 7.0 * i
            texture = map_coordinates(self.chromatin, at, order=1, mode="grid-wrap")
            inside = _soft_step((1 - radius) * 7)
            volume[box] += self.brightness[i] * inside * np.clip(1 + 0.4 * texture, 0.2, None)
        return volume


def _away(box: tuple[slice, ...], centre: NDArray[np.float64]) -> list[Floats]:
    """Distances of a box's pixels from a point, along each axis; broadcast against each other."""
    return [at - np.float32(c) for at, c in zip(_pixels(box), centre, strict=True)]


def _pixels(box: tuple[slice, ...]) -> tuple[Floats, ...]:
    return np.ix_(*(np.arange(part.start, part.stop, dtype=np.float32) for part in box))


def _soft_step(values: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(values, -30, 30)))).astype(np.float32)


def _unit_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: float | tuple[float, ...]
) -> Floats:
    """Smooth noise with mean 0 and standard deviation 1; its edges fit together."""
    spectrum = rfftn(rng.standard_normal(shape, np.float32))
    # Widths of 20 pixels and more take many times as long where the pixels themselves are added.
    noise = irfftn(fourier_gaussian(spectrum, sigma, n=shape[-1]), shape)
    result: Floats = ((noise - noise.mean()) / noise.std()).astype(np.float32)
    return result


def _spread_out(rng: np.random.Generator, size: int, distance: float) -> NDArray[np.float64]:
    """Points about ``distance`` apart on a jittered hexagonal grid that leaves some out."""
    points = []
    for row, y in enumerate(np.arange(0.25 * distance, size + 0.3 * distance, 0.87 * distance)):
        for x in np.arange(0.2 * distance, size + 0.6 * distance, distance):
            if rng.random() < 0.88:
                shift = (row % 2) * 0.5 * distance
                points.append(np.array((y, x - shift)) + rng.normal(0, 0.1 * distance, 2))
    return np.array(points)


def _apart(rng: np.random.Generator, volume: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Points in a volume, each the farthest from the others out of a few random ones."""
    points = [rng.uniform(0, 1, 3) * volume]
    while len(points) < n:
        candidates = rng.uniform(0, 1, (12, 3)) * volume
        away = np.linalg.norm((candidates[:, None] - np.array(points)) * (2.0, 1, 1), axis=-1)
        points.append(candidates[away.min(axis=1).argmax()])
    return np.array(points)


def _filaments(
    rng: np.random.Generator, shape: tuple[int, ...], centre: NDArray[np.float64]
) -> Floats:
    """Filaments that grow out of a point and bend, as points added to a grid."""
    n, steps, stride = 90, 225, 0.9
    origin = centre + rng.normal(0, 18, 2)
    heading = rng.uniform(0, 2 * np.pi, (n, 1))
    turns = gaussian_filter(rng.normal(0, 0.13, (n, steps)), (0, 12))
    angle = heading + np.cumsum(turns, axis=1)
    path = np.stack([np.sin(angle), np.cos(angle)], axis=-1).cumsum(axis=1) * stride
    start = origin + rng.normal(0, 9, (n, 1, 2))
    ends = rng.uniform(0.35, 1.0, (n, 1)) * steps
    weight = rng.lognormal(0, 0.3, (n, 1)) * (np.arange(steps) < ends)
    return _deposit(shape, (start + path).reshape(-1, 2), weight.reshape(-1))


def _deposit(shape: tuple[int, ...], points: NDArray[np.float64], weights: NDArray[Any]) -> Floats:
    """Points on a grid, each shared between its nearest grid points."""
    inside = np.all((points >= 0) & (points < np.array(shape) - 1), axis=1)
    points, weights = points[inside], weights[inside]
    base = np.floor(points).astype(np.int64)
    fraction = points - base
    grid = np.zeros(int(np.prod(shape)), np.float64)
    for corner in np.ndindex(*(2,) * len(shape)):
        share = np.where(corner, fraction, 1 - fraction).prod(axis=1)
        index = np.ravel_multi_index(tuple((base + corner).T), shape)
        grid += np.bincount(index, share * weights, minlength=grid.size)
    return grid.reshape(shape).astype(np.float32)
