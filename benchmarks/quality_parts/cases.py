"""Noisy images whose clean ones are known, none of which a built-in model was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from benchmarks.quality_parts.noise import Image, Noise, fitted, gaussian, poisson

PAIRS, PACKAGED, STACKS = "pairs", "packaged", "volumes"
NAMES = ("camera", "coins", "moon", "page", "cell")
"""Images that scikit-image brings; kept out of the training of the built-in models."""

SIGMAS = (10, 25, 50)
PEAKS = (5, 30, 100)
SEED = 0


@dataclass(frozen=True)
class Case:
    """An image to denoise.

    Parameters
    ----------
    group : str
        ``"pairs"``, ``"packaged"`` or ``"volumes"``.
    name : str
        Of the image and its noise.
    noisy, clean : numpy.ndarray
        YX or ZYX, grey levels of 0 to 255; the noisy one in the dtype that a model is given.
    noises : tuple of Noise
        What oracles know of the noise: of several the one is taken that a method is best with.
    """

    group: str
    name: str
    noisy: np.ndarray
    clean: Image
    noises: tuple[Noise, ...]

    @property
    def is_gaussian(self) -> bool:
        return self.noises[0].is_gaussian

    @cached_property
    def digest(self) -> str:
        """Of all pixels: what is kept of one case is no other's."""
        found = hashlib.blake2b(digest_size=8)
        for array in (self.noisy, self.clean):
            found.update(f"{array.dtype}{array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def pairs(folder: Path) -> Iterator[Case]:
    """Real shots: each ``NAME_noisy.tif`` beside a ``NAME_avg50.tif``."""
    import tifffile

    for path in sorted(folder.glob("*_noisy.tif")):
        name = path.name.removesuffix("_noisy.tif")
        beside = folder / f"{name}_avg50.tif"
        if not beside.exists():
            continue
        noisy, clean = tifffile.imread(path), tifffile.imread(beside).astype(np.float64)
        lines = [fitted(noisy.astype(np.float64), clean, offset=offset) for offset in (False, True)]
        yield Case(PAIRS, name, noisy, clean, tuple(dict.fromkeys(lines)))


def noisy_case(group: str, image: str, clean: Image, noise: Noise, kind: str) -> Case:
    """A clean image with seeded noise; the noisy one is float32, and not clipped."""
    noisy = noise.added_to(clean, SEED).astype(np.float32)
    return Case(group, f"{image}, {kind}", noisy, clean, (noise,))


def noises(
    sigmas: tuple[float, ...] = SIGMAS, peaks: tuple[float, ...] = PEAKS
) -> dict[str, Noise]:
    """Noise of each strength, by its name in tables."""
    return {f"σ {sigma:g}": gaussian(sigma) for sigma in sigmas} | {
        f"peak {peak:g}": poisson(peak) for peak in peaks
    }


def packaged(*, quick: bool = False) -> Iterator[Case]:
    """scikit-image's own images with noise of each strength; with `quick` two and two of them."""
    from skimage import data

    kinds = noises((25,), (30,)) if quick else noises()
    for image in NAMES[:2] if quick else NAMES:
        clean = getattr(data, image)().astype(np.float64)
        for kind, noise in kinds.items():
            yield noisy_case(PACKAGED, image, clean, noise, kind)
