"""Volumes of made-up structure as a microscope sees it: few planes, further apart than pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from benchmarks.quality_parts.noise import WHITE, Image
from scipy.ndimage import gaussian_filter, map_coordinates

SHAPE = (16, 128, 128)
ANISOTROPY = 3.0
"""How many times as far planes are apart as pixels are."""

BLUR = (0.8, 1.2, 1.2)
"""Of the microscope: standard deviation along Z, Y and X, in planes and px."""

BLACK, BRIGHT = 0.04, 0.95
"""Grey level without and of most light, of white."""


def seen(light: Image) -> Image:
    """Blurred by the microscope, grey levels; the brightest voxels of thousand are white alike."""
    blurred = gaussian_filter(light, BLUR)
    full = np.quantile(blurred, 0.999)
    return WHITE * (BLACK + (BRIGHT - BLACK) * np.clip(blurred / full, 0, 1))


def places(shape: tuple[int, ...]) -> np.ndarray:
    """Z, Y and X of each voxel in px, shape (3, Z, Y, X)."""
    found = np.indices(shape, dtype=np.float64)
    found[0] *= ANISOTROPY
    return found


def filaments(rng: np.random.Generator, shape: tuple[int, ...] = SHAPE, count: int = 150) -> Image:
    """Curves that turn slowly, of unequal brightness."""
    spacing = np.array([ANISOTROPY, 1, 1])
    steps = 4 * max(shape)
    turns = np.cumsum(rng.normal(0, 0.05, (steps, count, 3)), axis=0)
    headings = rng.normal(0, 1, (count, 3)) * (0.3, 1, 1) + turns
    headings /= np.linalg.norm(headings, axis=-1, keepdims=True)
    starts = rng.uniform(0, 1, (count, 3)) * shape * spacing
    voxels = np.round((starts + np.cumsum(0.5 * headings, axis=0)) / spacing).astype(int)
    inside = ((voxels >= 0) & (voxels < shape)).all(-1)
    brightness = np.broadcast_to(rng.uniform(0.3, 1, count), inside.shape)
    light = np.zeros(shape)
    np.add.at(light, tuple(voxels[inside].T), brightness[inside])
    return seen(light)


def cells(rng: np.random.Generator, shape: tuple[int, ...] = SHAPE, count: int = 14) -> Image:
    """Cells with a bright rim, a textured nucleus and puncta."""
    light, where = np.zeros(shape), places(shape)
    size = np.array(shape) * (ANISOTROPY, 1, 1)
    grain = gaussian_filter(rng.normal(0, 1, shape), (1, 3, 3))
    grain = 1 + 0.5 * grain / grain.std()
    bent = where + _bending(rng, shape)
    for _ in range(count):
        center, radii = rng.uniform(0, 1, 3) * size, rng.uniform(12, 26, 3)
        off = [(bent[axis] - center[axis]) / radii[axis] for axis in range(3)]
        far = np.sqrt(sum(distance**2 for distance in off))
        light += 0.6 * np.exp(-(((far - 1) * radii.mean() / 1.5) ** 2))
        light += 0.8 * grain / (1 + np.exp((far - 0.55) * 30))
    spots = rng.random(shape) < 1e-3
    light[spots] += rng.uniform(2, 12, spots.sum())
    return seen(light)


def _bending(rng: np.random.Generator, shape: tuple[int, ...], most: float = 4.0) -> np.ndarray:
    """A smooth field of shifts of a few px, so that no cell is an ellipsoid."""
    coarse = rng.normal(0, most / 2, (3, 3, 4, 4))
    grid = np.stack(
        np.meshgrid(
            *(np.linspace(0, n - 1, s) for n, s in zip((3, 4, 4), shape, strict=True)),
            indexing="ij",
        )
    )
    return np.stack([map_coordinates(shifts, grid, order=1) for shifts in coarse])


KINDS: dict[str, Callable[[np.random.Generator], Image]] = {"filaments": filaments, "cells": cells}
