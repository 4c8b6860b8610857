"""Judge the built-in denoiser against the best Gaussian blur, on images it was not trained on.

    python scripts/judge_builtin.py [--pairs ../shared/data/pairs] [--weights FILE]

Prints PSNR in dB (data range 255) of the noisy image, of the Gaussian blur whose sigma is chosen
with the clean image in hand, and of ``builtin:denoise2d``; then the ratio of the sums of
intensities, denoised to noisy. scikit-image's packaged images get seeded Gaussian noise of
sigma 25 of 255, not clipped; the pairs are real single shots against the mean of 50.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import data
from torch import nn

from napari_tessera.models.builtin import load_builtin, read_builtin

PACKAGED = ("camera", "coins", "moon", "page", "cell")
PAIRS = ("BPAE_B", "fish")
SIGMA = 25.0
SEED = 0
BLURS = np.arange(0.4, 8.0, 0.1)

Image = NDArray[np.float64]


def psnr(image: Image, clean: Image) -> float:
    """Return the peak signal-to-noise ratio in dB for a data range of 255."""
    return float(10 * np.log10(255**2 / np.mean((image - clean) ** 2)))


def denoise(network: nn.Module, image: Image) -> Image:
    """Run the network on a whole image (Y, X), its mean subtracted, reflected to multiples of 4."""
    mean = image.mean()
    height, width = image.shape
    padded = np.pad(image - mean, ((0, -height % 4), (0, -width % 4)), mode="reflect")
    with torch.inference_mode():
        result = network(torch.from_numpy(padded.astype(np.float32))[None, None])
    return result[0, 0, :height, :width].numpy().astype(np.float64) + mean


def best_blur(noisy: Image, clean: Image) -> tuple[float, float]:
    """Return the PSNR and the sigma of the best Gaussian blur."""
    return max((psnr(gaussian_filter(noisy, s), clean), float(s)) for s in BLURS)


def cases(pairs: Path | None) -> Iterator[tuple[str, Image, Image]]:
    """Yield name, noisy and clean image of every case."""
    for name in PACKAGED:
        clean = getattr(data, name)().astype(np.float64)
        noise = np.random.default_rng(SEED).normal(0, SIGMA, clean.shape)
        yield name, clean + noise, clean
    for name in PAIRS if pairs else ():
        noisy, clean = (
            tifffile.imread(pairs / f"{name}_{kind}.tif").astype(np.float64)
            for kind in ("noisy", "avg50")
        )
        yield name, noisy, clean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, help="folder with NAME_noisy.tif and NAME_avg50.tif")
    parser.add_argument("--weights", type=Path, help="other weights than those of the package")
    chosen = parser.parse_args()
    network, _ = read_builtin(chosen.weights) if chosen.weights else load_builtin("denoise2d")
    print("| image | noisy | best Gaussian blur | builtin:denoise2d | sum |")
    print("|---|---|---|---|---|")
    for name, noisy, clean in cases(chosen.pairs):
        blurred, sigma = best_blur(noisy, clean)
        ours = denoise(network, noisy)
        print(
            f"| {name} | {psnr(noisy, clean):.2f} | {blurred:.2f} (σ = {sigma:.1f})"
            f" | {psnr(ours, clean):.2f} | {ours.sum() / noisy.sum():.4f} |"
        )


if __name__ == "__main__":
    main()
