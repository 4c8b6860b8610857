"""Images, denoisers that are good, or bad in one known way, and readings of them tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_tessera.prediction import CheckReadings, CheckWriter
from napari_tessera.writing import ImageRegionData

Pixels = NDArray[Any]


def blobs(n: int, sigma: float, brightest: float, offset: float, seed: int = 0) -> Pixels:
    """Gaussian spots on an even background, 256²."""
    rng = np.random.default_rng(seed)
    points = np.zeros((256, 256))
    np.add.at(points, tuple(rng.integers(0, 256, (2, n))), 1)
    smooth = ndimage.gaussian_filter(points, sigma)
    found: Pixels = offset + brightest * smooth / smooth.max()
    return found


def photons(clean: Pixels, seed: int = 1) -> Pixels:
    """Photon noise, as a camera counts."""
    return np.random.default_rng(seed).poisson(clean).astype(np.uint16)


def striped(clean: Pixels, seed: int = 1) -> Pixels:
    """Noise that neighbours in a row have in common."""
    noise = np.random.default_rng(seed).normal(0, 20, clean.shape)
    return clean + ndimage.convolve1d(noise, [0.25, 0.5, 0.25], axis=1)


def median(image: Pixels) -> Pixels:
    """Median over 5×5 pixels: biased where photons are few."""
    return ndimage.median_filter(image.astype(np.float32), 5)


def blurry(image: Pixels) -> Pixels:
    """Gaussian of σ 3 px."""
    return ndimage.gaussian_filter(image.astype(np.float32), 3)


def timid(image: Pixels) -> Pixels:
    """A tenth of a denoiser."""
    found: Pixels = 0.9 * image + 0.1 * ndimage.gaussian_filter(image.astype(np.float32), 1)
    return found


BAD: dict[str, Callable[[Pixels], Pixels]] = {"median": median, "blurry": blurry, "timid": timid}


def region(before: Pixels, after: Pixels, tile: int | None = None) -> ImageRegionData:
    """A predicted core ``C(Z)YX`` with its input."""
    metadata: dict[str, Any] = {"input": before}
    if tile is not None:
        metadata["tile_index"] = tile
    return ImageRegionData(
        data=after,
        source="image",
        data_shape=(1, *after.shape),
        dtype=str(before.dtype),
        axes="YX",
        original_data_shape=after.shape,
        region_spec={},  # type: ignore[typeddict-item]  # where it lies is not looked at
        additional_metadata=metadata,
    )


def tiles(before: Pixels, after: Pixels, size: int = 64) -> list[ImageRegionData]:
    """An image YX and what was made of it, cut into tiles."""
    places = [
        (slice(y, y + size), slice(x, x + size))
        for y in range(0, before.shape[0], size)
        for x in range(0, before.shape[1], size)
    ]
    return [region(before[at][None], after[at][None], n) for n, at in enumerate(places)]


def read(regions: Iterable[ImageRegionData]) -> CheckReadings:
    """Readings of tiles, one after another."""
    writer = CheckWriter()
    for one in regions:
        writer.write_batch(Path(), [one])
    return writer.readings()


def judged(readings: CheckReadings) -> set[str]:
    """Keys of the readings that deserve a look."""
    return {row.key for row in readings.rows() if not row.good}
