"""Ways to denoise without a network, each with what only one who has the clean image can know.

A way takes a `Case` and gives the result and what it was chosen with. Where the noise is of
photons, what was made for Gaussian noise works on the image after the generalized Anscombe
transform, and the inverse is chosen with the clean image too: in real shots neither is always the
better one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product

import numpy as np
from benchmarks.quality_parts.anscombe import INVERSES, stabilized
from benchmarks.quality_parts.cases import Case
from benchmarks.quality_parts.measures import psnr
from benchmarks.quality_parts.noise import WHITE, Image, Noise
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize_scalar

Chosen = tuple[Image, str]
Denoiser = Callable[[Image, float], Image]
"""Of an image and the standard deviation of its noise."""

BLURS = np.arange(0.4, 8.0, 0.1).round(1)
BLURS_Z = (0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
"""Widths that are tried, in px and planes: along Y and X, and along Z."""

NLM_SIZES = ((5, 6), (7, 11))
"""Edge of patches, and how far others are looked for: scikit-image's example, and its defaults."""

NLM_STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the noise; 0.6 in scikit-image's example, 0.8 in that for its slow mode."""

TV_WEIGHTS = (0.2, 8.0)
"""Of the noise: the range that the weight is searched in."""


def closest(tried: Iterable[Chosen], clean: Image) -> Chosen:
    """The result of least error."""
    return max(tried, key=lambda chosen: psnr(chosen[0], clean))


def best_blur(case: Case) -> Chosen:
    """The Gaussian blur whose width is best."""
    noisy = case.noisy.astype(np.float64)

    def blurred(at: int, along_z: tuple[float, ...]) -> Chosen:
        width = (*along_z, *2 * (float(BLURS[at]),))
        name = " × ".join(f"{w:.1f}" for w in dict.fromkeys(width))
        return gaussian_filter(noisy, width), f"σ = {name} px"

    def best(along_z: tuple[float, ...]) -> Chosen:
        found = highest(lambda at: psnr(blurred(at, along_z)[0], case.clean), len(BLURS))
        return blurred(found, along_z)

    return closest(map(best, [()] if noisy.ndim == 2 else [(z,) for z in BLURS_Z]), case.clean)


def highest(figure: Callable[[int], float], count: int, step: int = 5) -> int:
    """Where a figure that rises and falls is highest: every fifth is tried, then those between."""
    coarse = max(range(0, count, step), key=figure)
    return max(range(max(0, coarse - step + 1), min(count, coarse + step)), key=figure)


def with_noise_known(denoise: Denoiser, case: Case) -> Iterator[Chosen]:
    """Results of a denoiser for Gaussian noise, in every way back from the transform."""
    noisy = case.noisy.astype(np.float64)
    for noise in case.noises:
        if noise.is_gaussian:
            yield WHITE * denoise(noisy / WHITE, noise.read_out / WHITE), ""
        else:
            yield from _through_the_transform(denoise, noisy, noise)


def _through_the_transform(denoise: Denoiser, noisy: Image, noise: Noise) -> Iterator[Chosen]:
    given = stabilized(noisy, noise)
    # what is made for images takes some parameters for a range of 0 to 1
    black, span = given.min(), np.ptp(given)
    made = denoise((given - black) / span, 1 / span) * span + black
    for name, inverse in INVERSES.items():
        yield inverse(made, noise), f"{name} inverse, black at {noise.offset:.1f}"


def bm3d(case: Case, threads: int = 1) -> Chosen:
    """BM3D (Dabov et al., IEEE Trans. Image Process. 16, 2080 (2007)), its authors' package.

    With one thread it gives the same result each time.
    """
    return closest(with_noise_known(partial(_bm3d, threads=threads), case), case.clean)


def _bm3d(image: Image, sigma: float, threads: int) -> Image:
    import bm3d

    profile = bm3d.BM3DProfile()
    profile.num_threads = threads
    return np.asarray(bm3d.bm3d(image, sigma, profile))


def bm4d(case: Case, threads: int = 1) -> Chosen:
    """BM4D, the same for volumes (Maggioni et al., IEEE Trans. Image Process. 22, 119 (2013))."""
    return closest(with_noise_known(partial(_bm4d, threads=threads), case), case.clean)


def _bm4d(volume: Image, sigma: float, threads: int) -> Image:
    import bm4d

    profile = bm4d.BM4DProfile()
    profile.num_threads = threads
    # its third axis is the one with few planes
    made = bm4d.bm4d(np.moveaxis(volume, 0, -1), sigma, profile)
    return np.moveaxis(np.asarray(made).reshape(*volume.shape[1:], volume.shape[0]), -1, 0)


def nlm(case: Case) -> Chosen:
    """Non-local means in scikit-image's fast mode; patches and strength are the best ones."""
    tried: list[Chosen] = []
    for (size, distance), strength in product(NLM_SIZES, NLM_STRENGTHS):
        denoise = nlm_of(size, distance, strength)
        best, how = closest(with_noise_known(denoise, case), case.clean)
        name = f"patches {size}, distance {distance}, h = {strength} σ"
        tried.append((best, f"{name}; {how}".rstrip("; ")))
    return closest(tried, case.clean)


def nlm_of(size: int, distance: int, strength: float) -> Denoiser:
    """Non-local means with patches of that edge, looked for so far, strength relative to σ."""
    from skimage.restoration import denoise_nl_means

    def run(image: Image, sigma: float) -> Image:
        return denoise_nl_means(
            image,
            patch_size=size,
            patch_distance=distance,
            h=strength * sigma,
            sigma=sigma,
            fast_mode=True,
        )

    return run


def tv(case: Case) -> Chosen:
    """Total variation of the best weight (Chambolle, J. Math. Imaging Vis. 20, 89 (2004))."""

    def of_weight(weight: float) -> Chosen:
        return closest(with_noise_known(tv_of(weight), case), case.clean)

    found = minimize_scalar(
        lambda log: -psnr(of_weight(np.exp(log))[0], case.clean),
        bounds=np.log(TV_WEIGHTS),
        method="bounded",
        options={"xatol": 0.05, "maxiter": 15},
    )
    best, how = of_weight(float(np.exp(found.x)))
    return best, f"weight {np.exp(found.x):.2f} σ; {how}".rstrip("; ")


def tv_of(weight: float) -> Denoiser:
    """Total variation of a weight relative to σ."""
    from skimage.restoration import denoise_tv_chambolle

    def run(image: Image, sigma: float) -> Image:
        return denoise_tv_chambolle(image, weight=weight * sigma)

    return run
