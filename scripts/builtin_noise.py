"""Noise of random kind and strength for training the built-in denoisers."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

SIGMAS = (1.5 / 255, 75 / 255)
USUAL_SIGMAS = (8 / 255, 55 / 255)
PHOTONS = (1.0, 400.0)
USUAL_PHOTONS = (4.0, 120.0)
USUAL_SHARE = 0.75
PHOTON_SHARE = 0.55


class Degraded(NamedTuple):
    """A noisy batch, and what a denoiser should make of it.

    Parameters
    ----------
    noisy : Tensor
        Shape of the clean batch.
    target : Tensor
        The mean of infinitely many such noisy batches, clipping included and hot pixels left out,
        so that denoising keeps the sum of the intensities.
    level : Tensor
        (N, 1, ...): the mean of each noisy patch without its hot pixels.
    """

    noisy: Tensor
    target: Tensor
    level: Tensor


def _uniform(like: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One number for each patch, shaped to meet it."""
    shape = (len(like),) + (1,) * (like.ndim - 1)
    return low + (high - low) * torch.rand(shape)


def _log_uniform(like: Tensor, span: tuple[float, float]) -> Tensor:
    low, high = span
    return low * torch.exp(_uniform(like) * math.log(high / low))


def _chosen(like: Tensor, probability: float) -> Tensor:
    return _uniform(like) < probability


def _detected(expected: Tensor, spread: Tensor) -> Tensor:
    """Return photon counts of the given mean whose pulses vary in height.

    The sum of n pulses, each with mean 1 and variance `spread`, follows Gamma(n / spread) * spread.
    """
    counts = torch.poisson(expected)
    pulses = torch._standard_gamma(torch.clamp(counts / spread, min=1e-3)) * spread
    return torch.where(counts > 0, pulses, torch.zeros_like(counts))


def _correlated(noise: Tensor) -> tuple[Tensor, Tensor]:
    """Spread some patches' noise over neighbours, and tell the factor of its deviation.

    Weakly, along X as slow detectors do, along Y, or both as resampling does; what is strongly
    correlated cannot be told from structure, and is better left than structure lost.
    """
    factor = torch.ones_like(_uniform(noise))
    for axis, probability in ((-1, 0.2), (-2, 0.1)):
        share = torch.where(_chosen(noise, probability), _uniform(noise, 0, 0.15), 0.0)
        noise = (1 - share) * noise + share * torch.roll(noise, 1, dims=axis)
        factor = factor * ((1 - share) ** 2 + share**2).sqrt()
    return noise, factor


def _mean_above_zero(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return E[max(g, 0)] of normal variables g."""
    ratio = mean / deviation
    density = torch.exp(-0.5 * ratio**2) / math.sqrt(2 * math.pi)
    below = 0.5 * torch.erfc(ratio / math.sqrt(2))
    return mean * (1 - below) + deviation * density


def _hot(noisy: Tensor, deviation: Tensor) -> Tensor:
    """Return what hot pixels add in a few patches: far more than noise does, in few pixels."""
    probability = torch.where(_chosen(noisy, 0.08), _log_uniform(noisy, (1e-4, 2e-3)), 0.0)
    height = deviation.amax(dim=tuple(range(1, noisy.ndim)), keepdim=True) * 6 + 0.2
    return (torch.rand_like(noisy) < probability) * height * (1 + torch.rand_like(noisy))


def degrade(clean: Tensor) -> Degraded:
    """Add noise of random kind and strength, most of it of the strengths met most.

    Somewhat less than half of the patches get Gaussian noise, sigma 1.5 to 75 of 255. The others
    get photon noise: Poisson counts from 1 to 400 at full brightness, in half of them with pulses
    of unequal height as photomultipliers give, plus read-out noise. Some patches are weakly
    correlated, some clipped to the detector's range, some stored with few grey levels, some have
    hot pixels.

    Parameters
    ----------
    clean : Tensor
        (N, 1, Y, X) or (N, 1, Z, Y, X), values 0..1. Offset and gain of the camera are those of
        the clean patch: the networks are blind to both.

    Returns
    -------
    Degraded
        Noise varies from patch to patch, not within one.
    """
    usual = _chosen(clean, USUAL_SHARE)
    photon = _chosen(clean, PHOTON_SHARE)
    full = torch.where(usual, _log_uniform(clean, USUAL_PHOTONS), _log_uniform(clean, PHOTONS))
    gaussian = torch.where(usual, _log_uniform(clean, USUAL_SIGMAS), _log_uniform(clean, SIGMAS))
    spread = torch.where(_chosen(clean, 0.35), _uniform(clean, 0.1, 0.7), 0.01)
    read_out = _uniform(clean) ** 3 * 0.5 / full.sqrt()
    sigma = torch.where(photon, read_out, gaussian) + 1e-4
    # A camera's offset does not arrive as photons.
    pedestal = torch.where(photon & _chosen(clean, 0.3), _uniform(clean, 0, 0.1), 0.0)

    signal = clean.clone()
    rows = photon.flatten()
    if rows.any():
        signal[rows] = _detected(clean[rows] * full[rows], spread[rows]) / full[rows]
    noise, factor = _correlated(signal - clean + sigma * torch.randn_like(clean))
    clean = clean + pedestal
    noisy = clean + noise

    signal_variance = torch.where(photon, (clean - pedestal) * (1 + spread) / full, 0.0)
    deviation = (sigma**2 + signal_variance).sqrt() * factor
    clipped = _chosen(clean, 0.25)
    ceiling = _uniform(clean, 1.0, 2.0)
    noisy = torch.where(clipped, torch.minimum(noisy.clamp(min=0), ceiling), noisy)
    expected = _mean_above_zero(clean, deviation)
    expected = ceiling - _mean_above_zero(ceiling - expected, deviation)
    # Photons alone never fall below zero, which a normal approximation does not know.
    target = torch.where(clipped & ~photon, expected, clean)

    step = torch.where(_chosen(clean, 0.35), _log_uniform(clean, (1 / 255, 8 / 255)), 1e-6)
    step = torch.where(_chosen(clean, 0.1), torch.full_like(step, 1 / 4095), step)
    axes = tuple(range(1, clean.ndim))
    # Grey levels coarser than the noise would be structure of their own.
    fine = step < deviation.amax(dim=axes, keepdim=True)
    noisy = torch.where(fine, torch.round(noisy / step) * step, noisy)
    level = noisy.mean(dim=axes, keepdim=True)
    return Degraded(noisy + _hot(noisy, deviation), target, level)
