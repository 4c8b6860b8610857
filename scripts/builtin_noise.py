"""Noise of random kind and strength for training the built-in denoiser."""

from __future__ import annotations

import math

import torch
from torch import Tensor

STRONGEST_SIGMA = 75 / 255
WEAKEST_SIGMA = 1.5 / 255
FEWEST_PHOTONS = 1.0
MOST_PHOTONS = 300.0


def _log_uniform(count: int, low: float, high: float) -> Tensor:
    span = torch.rand(count, 1, 1, 1) * math.log(high / low)
    return low * torch.exp(span)


def _chosen(count: int, probability: float) -> Tensor:
    return torch.rand(count, 1, 1, 1) < probability


def _detected(expected: Tensor, spread: Tensor) -> Tensor:
    """Return photon counts of the given mean whose pulses vary in height.

    The sum of n pulses, each with mean 1 and variance `spread`, follows Gamma(n / spread) * spread.
    """
    counts = torch.poisson(expected)
    pulses = torch._standard_gamma(torch.clamp(counts / spread, min=1e-3)) * spread
    return torch.where(counts > 0, pulses, torch.zeros_like(counts))


def _mean_above_zero(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return E[max(g, 0)] of normal variables g."""
    ratio = mean / deviation
    density = torch.exp(-0.5 * ratio**2) / math.sqrt(2 * math.pi)
    below = 0.5 * torch.erfc(ratio / math.sqrt(2))
    return mean * (1 - below) + deviation * density


def degrade(clean: Tensor) -> tuple[Tensor, Tensor]:
    """Return a noisy batch and the mean of infinitely many such batches.

    Half of the patches get Gaussian noise, the others photon noise: Poisson counts from 1 to 300 at
    full brightness, in half of them with pulses of unequal height as photomultipliers give, plus
    read-out noise. Some patches are correlated along X as in slow detectors, some are clipped to
    the detector's range, some stored with few grey levels.

    Parameters
    ----------
    clean : Tensor
        (N, 1, Y, X), values 0..1.

    Returns
    -------
    noisy, target : Tensor
        Same shape as `clean`. The target is the expected value of the noisy patch, clipping
        included, so that denoising keeps the sum of the intensities.
    """
    count = len(clean)
    photon = _chosen(count, 0.5)
    full = _log_uniform(count, FEWEST_PHOTONS, MOST_PHOTONS)
    spread = torch.where(_chosen(count, 0.5), 0.1 + 0.5 * torch.rand(count, 1, 1, 1), 0.01)
    gaussian = _log_uniform(count, WEAKEST_SIGMA, STRONGEST_SIGMA)
    read_out = torch.rand(count, 1, 1, 1) ** 3 * 0.5 / full.sqrt()
    sigma = torch.where(photon, read_out, gaussian) + 1e-4

    signal = clean.clone()
    rows = photon.flatten()
    if rows.any():
        signal[rows] = _detected(clean[rows] * full[rows], spread[rows]) / full[rows]
    noise = signal - clean + sigma * torch.randn_like(clean)

    share = torch.where(_chosen(count, 0.3), 0.15 * torch.rand(count, 1, 1, 1), 0.0)
    noise = (1 - share) * noise + share * torch.roll(noise, 1, dims=3)
    noisy = clean + noise

    variance = sigma**2 + torch.where(photon, clean * (1 + spread) / full, 0.0)
    deviation = variance.sqrt() * ((1 - share) ** 2 + share**2).sqrt()
    clipped = _chosen(count, 0.25)
    ceiling = 1 + torch.rand(count, 1, 1, 1)
    noisy = torch.where(clipped, torch.minimum(noisy.clamp(min=0), ceiling), noisy)
    expected = _mean_above_zero(clean, deviation)
    expected = ceiling - _mean_above_zero(ceiling - expected, deviation)
    # Photons alone never fall below zero, which a normal approximation does not know.
    target = torch.where(clipped & ~photon, expected, clean)

    step = torch.where(_chosen(count, 0.3), _log_uniform(count, 1 / 255, 8 / 255), 1e-6)
    fine = step < deviation.amax(dim=(1, 2, 3), keepdim=True)
    noisy = torch.where(fine, torch.round(noisy / step) * step, noisy)
    return noisy, target
