"""Steps: operations that have all of their numbers, applied to tensors.

Each takes a float32 tensor ``C(Z)YX`` and returns one of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_tessera.models.processing.statistic import Values

if TYPE_CHECKING:
    from torch import Tensor


class Step(Protocol):
    """What is done to a tile."""

    def __call__(self, tile: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class AffineStep:
    """``gain · x + offset``, one float64 number per channel."""

    gain: Values
    offset: Values

    @classmethod
    def dividing(cls, subtracted: Values, divisor: Values) -> AffineStep:
        """``(x − subtracted) / divisor``."""
        with np.errstate(divide="ignore"):
            return cls(1 / divisor, -subtracted / divisor)

    def then(self, other: AffineStep) -> AffineStep:
        """Both, this one first."""
        return AffineStep(self.gain * other.gain, self.offset * other.gain + other.offset)

    def __call__(self, tile: Tensor) -> Tensor:
        return tile * _like(self.gain, tile) + _like(self.offset, tile)


@dataclass(frozen=True, eq=False)
class ClipStep:
    """Cut off below and above, one number per channel; infinite where there is no limit."""

    low: Values
    high: Values

    def __call__(self, tile: Tensor) -> Tensor:
        return tile.clamp(_like(self.low, tile), _like(self.high, tile))


@dataclass(frozen=True)
class SigmoidStep:
    """The logistic function."""

    def __call__(self, tile: Tensor) -> Tensor:
        return tile.sigmoid()


@dataclass(frozen=True)
class SoftmaxStep:
    """Shares of the channels: between 0 and 1, and 1 in sum."""

    def __call__(self, tile: Tensor) -> Tensor:
        return tile.softmax(dim=0)


@dataclass(frozen=True, eq=False)
class BinarizeStep:
    """1 above a threshold for each channel, else 0."""

    threshold: Values

    def __call__(self, tile: Tensor) -> Tensor:
        return (tile > _like(self.threshold, tile)).to(tile.dtype)


@dataclass(frozen=True)
class CastStep:
    """To a dtype and back to float32; what is out of range is cut off, as integers would wrap."""

    dtype: str

    def __call__(self, tile: Tensor) -> Tensor:
        import torch

        wanted = np.dtype(self.dtype)
        if wanted.kind in "iu":
            limits = np.iinfo(wanted)
            return tile.trunc().clamp(float(limits.min), float(limits.max))
        if wanted.kind == "b":
            return (tile != 0).to(tile.dtype)
        return tile.to(getattr(torch, wanted.name)).to(tile.dtype)


@dataclass(frozen=True)
class StandardizeStep:
    """By the mean and standard deviation of the tile itself, which must be the whole image."""

    eps: float
    pooled: bool

    def __call__(self, tile: Tensor) -> Tensor:
        axes = _axes(tile, self.pooled)
        std = tile.std(dim=axes, keepdim=True, correction=0)
        return (tile - tile.mean(dim=axes, keepdim=True)) / (std + self.eps)


@dataclass(frozen=True)
class RescaleStep:
    """By quantiles of the tile itself, which must be the whole image."""

    low_fraction: float
    high_fraction: float
    eps: float
    pooled: bool

    def __call__(self, tile: Tensor) -> Tensor:
        low, high = _quantiles(tile, (self.low_fraction, self.high_fraction), self.pooled)
        rescaled: Tensor = (tile - low) / (high - low + self.eps)
        return rescaled


@dataclass(frozen=True)
class ClipToOwnStep:
    """Cut off beyond quantiles of the tile itself, which must be the whole image."""

    low: float | None
    high: float | None
    low_fraction: float | None
    high_fraction: float | None
    pooled: bool

    def __call__(self, tile: Tensor) -> Tensor:
        low: Tensor | float | None = self.low
        high: Tensor | float | None = self.high
        if self.low_fraction is not None:
            (low,) = _quantiles(tile, (self.low_fraction,), self.pooled)
        if self.high_fraction is not None:
            (high,) = _quantiles(tile, (self.high_fraction,), self.pooled)
        clipped = tile if low is None else tile.clamp(min=low)
        return clipped if high is None else clipped.clamp(max=high)


@dataclass(frozen=True, eq=False)
class MatchStep:
    """Standardize by the tile itself, which must be the whole image; then to given moments."""

    eps: float
    pooled: bool
    mean: Values
    scale: Values

    def __call__(self, tile: Tensor) -> Tensor:
        own = StandardizeStep(self.eps, self.pooled)(tile)
        return own * _like(self.scale, tile) + _like(self.mean, tile)


def _like(values: Values, tile: Tensor) -> Tensor:
    import torch

    shaped = torch.from_numpy(np.ascontiguousarray(values)).to(tile)
    return shaped.reshape(-1, *(1,) * (tile.ndim - 1))


def _quantiles(tile: Tensor, fractions: tuple[float, ...], pooled: bool) -> tuple[Tensor, ...]:
    import torch

    # torch.quantile refuses more than 16 million values, NumPy does not
    values = tile.detach().cpu().numpy()
    found = np.quantile(values, fractions, axis=_axes(tile, pooled), keepdims=True)
    return tuple(torch.from_numpy(found).to(tile))


def _axes(tile: Tensor, pooled: bool) -> tuple[int, ...]:
    return tuple(range(0 if pooled else 1, tile.ndim))
