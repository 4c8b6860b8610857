"""Clean images for training the built-in denoiser: packaged photographs, generated structures.

Nothing is downloaded. ``camera``, ``coins``, ``moon``, ``page`` and ``cell`` of scikit-image are
kept for judging and never appear here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, zoom
from scipy.spatial import cKDTree
from skimage import data
from skimage.io import imread
from sklearn.datasets import load_sample_images

Image = NDArray[np.float32]

PACKAGED = (
    "astronaut.png",
    "brick.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "microaneurysms.png",
    "motorcycle_left.png",
    "phantom.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
SCALES = (1.0, 0.7, 0.5)
SMALLEST_SIDE = 80


def _unit_range(image: NDArray[np.floating]) -> Image:
    low, high = float(image.min()), float(image.max())
    return ((image - low) / max(high - low, 1e-6)).astype(np.float32)


def photographs() -> list[Image]:
    """Return grey images (Y, X) with values 0..1, each at several scales.

    Smaller scales carry less of the camera's own noise and finer structure per pixel.
    """
    folder = Path(data.__file__).parent
    pictures = [imread(folder / name) for name in PACKAGED]
    pictures += load_sample_images().images
    result: list[Image] = []
    for picture in pictures:
        values = np.asarray(picture, np.float32) / 255
        if values.ndim == 3:
            values = values[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
        for scale in SCALES:
            smooth = gaussian_filter(values, 0.45 * (1 / scale - 1) + 1e-3)
            small = smooth if scale == 1 else zoom(smooth, scale, order=1)
            if min(small.shape) >= SMALLEST_SIDE:
                result.append(np.clip(small, 0, 1).astype(np.float32))
    return result


def _smooth_field(rng: np.random.Generator, size: int, sigma: float) -> Image:
    field = gaussian_filter(rng.standard_normal((size, size)), sigma, mode="wrap")
    return _unit_range(field)


def _deposit(size: int, yx: NDArray[np.floating], weight: NDArray[np.floating]) -> Image:
    """Add points to a grid, each shared between its four nearest pixels."""
    image = np.zeros((size + 1, size + 1), np.float32)
    inside = np.all((yx >= 0) & (yx < size - 1), axis=1)
    yx, weight = yx[inside], weight[inside]
    corner = np.floor(yx).astype(int)
    part = yx - corner
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1])
            np.add.at(image, (corner[:, 0] + dy, corner[:, 1] + dx), share * weight)
    return image[:size, :size]


def filaments(rng: np.random.Generator, size: int) -> Image:
    """Return wandering lines of varied brightness (actin, microtubules)."""
    image = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(15, 120))):
        steps = int(rng.integers(200, 1600))
        bend = rng.normal(0, rng.uniform(0.005, 0.06), steps)
        direction = rng.uniform(0, 2 * np.pi) + np.cumsum(gaussian_filter(bend, 10) * 4)
        start = rng.uniform(-0.1 * size, 1.1 * size, 2)
        yx = start + 0.4 * np.cumsum(np.stack([np.sin(direction), np.cos(direction)], 1), 0)
        image += _deposit(size, yx, np.full(steps, rng.lognormal(0, 0.5)))
    return gaussian_filter(image, rng.uniform(0.7, 2.2))


def membranes(rng: np.random.Generator, size: int) -> Image:
    """Return the walls of a cell sheet: where two nearest cell centres are equally far."""
    centres = rng.uniform(0, size, (int(rng.integers(20, 300)), 2))
    grid = np.stack(np.mgrid[:size, :size], -1).astype(float)
    warp = np.stack([_smooth_field(rng, size, 15) - 0.5 for _ in range(2)], -1)
    distance, nearest = cKDTree(centres).query(grid + 20 * warp, k=2)
    wall = np.exp(-(((distance[..., 1] - distance[..., 0]) / rng.uniform(1.5, 5)) ** 2))
    filling = rng.lognormal(-1.5, 0.8, len(centres))[nearest[..., 0]] * rng.uniform(0, 1)
    image = wall * (0.3 + _smooth_field(rng, size, 25)) + filling
    return gaussian_filter(image, rng.uniform(0.7, 2)).astype(np.float32)


def puncta(rng: np.random.Generator, size: int) -> Image:
    """Return spots of several sizes, most of them dim."""
    image = np.zeros((size, size), np.float32)
    for _ in range(3):
        count = int(np.exp(rng.uniform(np.log(20), np.log(1500))))
        sigma = rng.uniform(0.7, 4)
        spots = _deposit(size, rng.uniform(0, size, (count, 2)), rng.lognormal(0, 0.8, count))
        image += gaussian_filter(spots, sigma) * sigma**2
    return image


def nuclei(rng: np.random.Generator, size: int) -> Image:
    """Return textured nuclei with nucleoli in a dimmer, streaked cytoplasm."""
    image = np.zeros((size, size), np.float32)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    warp = [14 * (_smooth_field(rng, size, 12) - 0.5) for _ in range(2)]
    texture = 0.5 + 0.5 * _smooth_field(rng, size, rng.uniform(1.2, 4))
    streaks = 0.2 + _smooth_field(rng, size, rng.uniform(2, 10))
    for _ in range(int(rng.integers(4, 40))):
        centre = rng.uniform(0, size, 2)
        radii = rng.uniform(8, 45) * np.array([1, rng.uniform(0.6, 1)])
        angle = rng.uniform(0, np.pi)
        dy, dx = y + warp[0] - centre[0], x + warp[1] - centre[1]
        u = dy * np.cos(angle) + dx * np.sin(angle)
        v = dx * np.cos(angle) - dy * np.sin(angle)
        radius = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2)
        body = 1 / (1 + np.exp(np.clip((radius - 1) * rng.uniform(8, 25), -30, 30)))
        cytoplasm = np.exp(-np.clip(radius - 1, 0, None) * rng.uniform(0.8, 3))
        brightness = rng.lognormal(0, 0.4)
        image += brightness * (body * texture + rng.uniform(0, 0.3) * cytoplasm * streaks)
    return gaussian_filter(image, rng.uniform(0.6, 2)).astype(np.float32)


def tissue(rng: np.random.Generator, size: int) -> Image:
    """Return smooth structure of all sizes, folded so that it has ridges and dark gaps."""
    image = np.zeros((size, size), np.float32)
    for sigma in (1.5, 3, 6, 12, 24):
        image += sigma ** rng.uniform(0.3, 1.2) * (_smooth_field(rng, size, sigma) - 0.5)
    ridge = np.abs(image) if rng.random() < 0.5 else np.maximum(image, 0)
    warp = 10 * np.stack([_smooth_field(rng, size, 20) for _ in range(2)])
    folded = map_coordinates(ridge, np.mgrid[:size, :size] + warp, order=1, mode="reflect")
    return gaussian_filter(folded, rng.uniform(0, 1.5)).astype(np.float32)


def structures(seed: int, count: int, size: int = 320) -> list[Image]:
    """Return `count` generated fluorescence-like images (size, size) with values 0..1.

    Most hold one kind of structure, some two, over a faint uneven background; bright outliers are
    compressed so that the dim structure keeps part of the range.
    """
    rng = np.random.default_rng(seed)
    kinds = (filaments, membranes, puncta, nuclei, tissue)
    result: list[Image] = []
    for index in range(count):
        image = _unit_range(kinds[index % len(kinds)](rng, size))
        if rng.random() < 0.4:
            other = kinds[int(rng.integers(len(kinds)))](rng, size)
            image = image + rng.uniform(0.2, 1) * _unit_range(other)
        image = image + rng.uniform(0, 0.15) * _smooth_field(rng, size, 40)
        bright = float(np.percentile(image, rng.uniform(99, 100)))
        image = np.minimum(image / bright, 1 + 0.3 * np.tanh(image / bright - 1))
        result.append(_unit_range(image))
    return result
