"""Generated volumes for training the built-in 3D denoiser: structures seen by a microscope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

Volume = NDArray[np.float32]
Shape = tuple[int, int, int]


def _unit_range(volume: NDArray[np.floating]) -> Volume:
    low, high = float(volume.min()), float(volume.max())
    return ((volume - low) / max(high - low, 1e-6)).astype(np.float32)


def _field(rng: np.random.Generator, shape: Shape, sigma: float, step: float) -> Volume:
    """Return a smooth field of blobs `sigma` px wide, planes `step` px apart."""
    noise = rng.standard_normal(shape).astype(np.float32)
    return _unit_range(gaussian_filter(noise, (sigma / step, sigma, sigma), mode="wrap"))


def _deposit(shape: Shape, zyx: NDArray[np.floating], weight: NDArray[np.floating]) -> Volume:
    """Add points to a grid, each shared between its eight nearest voxels."""
    volume = np.zeros(tuple(n + 1 for n in shape), np.float32)
    inside = np.all((zyx >= 0) & (zyx < np.array(shape) - 1), axis=1)
    zyx, weight = zyx[inside], weight[inside]
    corner = np.floor(zyx).astype(int)
    part = zyx - corner
    for move in np.ndindex(2, 2, 2):
        share = np.prod(np.abs(1 - np.array(move) - part), axis=1)
        np.add.at(volume, tuple((corner + move).T), share * weight)
    return volume[tuple(slice(n) for n in shape)]


def filaments(rng: np.random.Generator, shape: Shape, step: float) -> Volume:
    """Return wandering lines of varied brightness."""
    volume = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(15, 90))):
        steps = int(rng.integers(200, 1200))
        turns = gaussian_filter(rng.normal(0, rng.uniform(0.1, 1), (steps, 3)), (15, 0))
        way = rng.standard_normal(3) * (0.6, 1, 1) + 2 * np.cumsum(turns, 0)
        way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-6
        start = rng.uniform(-0.1, 1.1, 3) * np.array(shape)
        zyx = start + 0.5 * np.cumsum(way, 0) / np.array([step, 1, 1])
        volume += _deposit(shape, zyx, np.full(steps, rng.lognormal(0, 0.5)))
    return volume


def membranes(rng: np.random.Generator, shape: Shape, step: float) -> Volume:
    """Return the walls between cells: where two nearest cell centres are equally far."""
    scale = np.array([step, 1, 1])
    centres = rng.uniform(0, 1, (int(rng.integers(30, 250)), 3)) * np.array(shape) * scale
    grid = np.stack(np.mgrid[tuple(slice(n) for n in shape)], -1) * scale
    warp = np.stack([_field(rng, shape, 12, step) - 0.5 for _ in range(3)], -1)
    distance, nearest = cKDTree(centres).query(grid + 25 * warp, k=2)
    wall = np.exp(-(((distance[..., 1] - distance[..., 0]) / rng.uniform(1.2, 4)) ** 2))
    filling = rng.lognormal(-1.5, 0.8, len(centres))[nearest[..., 0]] * rng.uniform(0, 1)
    return (wall * (0.3 + _field(rng, shape, 20, step)) + filling).astype(np.float32)


def puncta(rng: np.random.Generator, shape: Shape, step: float) -> Volume:
    """Return spots of several sizes, most of them dim."""
    volume = np.zeros(shape, np.float32)
    for _ in range(3):
        count = int(np.exp(rng.uniform(np.log(30), np.log(3000))))
        sigma = rng.uniform(0.4, 3)
        spots = _deposit(
            shape, rng.uniform(0, 1, (count, 3)) * np.array(shape), rng.lognormal(0, 0.8, count)
        )
        volume += gaussian_filter(spots, (sigma / step, sigma, sigma)) * sigma**2
    return volume


def nuclei(rng: np.random.Generator, shape: Shape, step: float) -> Volume:
    """Return textured nuclei in a dimmer, grainy cytoplasm."""
    scale = np.array([step, 1, 1], np.float32)
    volume = np.zeros(shape, np.float32)
    places = np.stack(np.mgrid[tuple(slice(n) for n in shape)], -1).astype(np.float32) * scale
    places += 12 * np.stack([_field(rng, shape, 10, step) - 0.5 for _ in range(3)], -1)
    texture = 0.5 + 0.5 * _field(rng, shape, rng.uniform(1, 4), step)
    grains = 0.2 + _field(rng, shape, rng.uniform(1, 6), step)
    for _ in range(int(rng.integers(4, 20))):
        centre = rng.uniform(0, 1, 3) * np.array(shape) * scale
        radii = rng.uniform(8, 30) * rng.uniform(0.6, 1, 3)
        radius = np.sqrt((((places - centre) / radii) ** 2).sum(-1))
        body = 1 / (1 + np.exp(np.clip((radius - 1) * rng.uniform(8, 25), -30, 30)))
        halo = np.exp(-np.clip(radius - 1, 0, None) * rng.uniform(0.8, 3))
        volume += rng.lognormal(0, 0.4) * (body * texture + rng.uniform(0, 0.3) * halo * grains)
    return volume


def meshes(rng: np.random.Generator, shape: Shape, step: float) -> Volume:
    """Return sheets and tubes of a branching network (mitochondria, reticulum)."""
    first, second = (_field(rng, shape, rng.uniform(3, 7), step) for _ in range(2))
    width = rng.uniform(0.02, 0.06)
    sheet = np.exp(-(((first - np.median(first)) / width) ** 2))
    tube = sheet * np.exp(-(((second - np.median(second)) / (2 * width)) ** 2))
    mask = _field(rng, shape, rng.uniform(10, 25), step)
    return (tube if rng.random() < 0.7 else sheet) * mask ** rng.uniform(0, 3)


KINDS = (filaments, membranes, puncta, nuclei, meshes)


def volume(seed: int, index: int, shape: Shape) -> Volume:
    """Return one generated volume (Z, Y, X) with values 0..1; the same for the same numbers.

    Planes lie 1 to 5 px apart. All is blurred as a microscope does, along Z up to four times as
    far as in the plane (but no farther in planes than their distance lets one see).
    """
    rng = np.random.default_rng((seed, index))
    step = rng.uniform(1, 5)
    made = _unit_range(KINDS[index % len(KINDS)](rng, shape, step))
    if rng.random() < 0.3:
        other = KINDS[int(rng.integers(len(KINDS)))](rng, shape, step)
        made = made + rng.uniform(0.2, 1) * _unit_range(other)
    wide = rng.uniform(0.6, 1.8)
    made = gaussian_filter(made, (wide * rng.uniform(1.5, 4) / step, wide, wide))
    made = _unit_range(made) + rng.uniform(0, 0.15) * _field(rng, shape, 30, step)
    bright = float(np.percentile(made, rng.uniform(99.5, 100)))
    made = np.minimum(made / bright, 1 + 0.3 * np.tanh(made / bright - 1))
    return _unit_range(made)
