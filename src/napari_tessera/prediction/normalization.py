"""Intensity statistics of an image, frozen before the first tile.

Statistics are never per tile or per plane, which would boost the noise of dim planes: they are per
channel and per time point (a Z stack is one volume), or per channel over the whole series. They
come from a fixed subsample, so that no full pass over the image precedes the first tile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks import ImageStack

BLOCK = 64
"""Edge of the blocks that are read of an image too large to be read whole, in pixels."""

EPS = 1e-6
"""Added to the standard deviation, so that a constant image does not divide by zero."""

KINDS = ("none", "time_point", "series")


@dataclass(frozen=True)
class Normalization:
    """Means and standard deviations by sample and channel.

    Pixels x become (x − mean)/(std + 1e-6) before the model; its output y becomes
    y·(std + 1e-6) + mean.

    Parameters
    ----------
    kind : {"none", "time_point", "series"}
        What one row of the values belongs to.
    samples : tuple of int
        For ``"time_point"`` the sample (S and T merged) of each row; else empty.
    means, stds : tuple of tuple of float
        One row per sample (a single one for ``"series"`` and ``"none"``), one value per channel,
        in grey levels. Under ``"none"`` only the mean is used: it stands in for pixels that are
        not finite.
    """

    kind: str
    samples: tuple[int, ...]
    means: tuple[tuple[float, ...], ...]
    stds: tuple[tuple[float, ...], ...]

    def values(self, sample: int, channel: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and std + 1e-6 of a sample (not folded), float32, one value per channel.

        Parameters
        ----------
        sample : int
            Sample of the unfolded image.
        channel : int or None
            The one channel wanted, None for all.
        """
        row = self.samples.index(sample) if self.kind == "time_point" else 0
        chosen = slice(None) if channel is None else slice(channel, channel + 1)
        mean = np.array(self.means[row], np.float32)[chosen]
        std = np.array(self.stds[row], np.float32)[chosen] + np.float32(EPS)
        return mean, std

    def to_json(self) -> dict[str, Any]:
        """Values as plain lists."""
        return {
            "kind": self.kind,
            "samples": list(self.samples),
            "means": [list(row) for row in self.means],
            "stds": [list(row) for row in self.stds],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Normalization:
        """Read what `to_json` gave."""
        return cls(
            str(data["kind"]),
            tuple(int(sample) for sample in data["samples"]),
            tuple(tuple(float(v) for v in row) for row in data["means"]),
            tuple(tuple(float(v) for v in row) for row in data["stds"]),
        )


@dataclass
class _Moments:
    """Streamed count, mean and sum of squared deviations per channel (Chan et al. 1983)."""

    n: NDArray[np.float64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]

    @classmethod
    def empty(cls, channels: int) -> _Moments:
        return cls(np.zeros(channels), np.zeros(channels), np.zeros(channels))

    def add(self, pixels: NDArray[np.float64]) -> None:
        """Add pixels of shape (C, n); those that are not finite do not count."""
        finite = np.isfinite(pixels)
        n = finite.sum(axis=1).astype(np.float64)
        some = np.maximum(n, 1)
        mean = np.where(finite, pixels, 0).sum(axis=1) / some
        m2 = np.where(finite, (pixels - mean[:, None]) ** 2, 0).sum(axis=1)
        self.merge(_Moments(n, mean, m2))

    def merge(self, other: _Moments) -> None:
        n = self.n + other.n
        some = np.maximum(n, 1)
        delta = other.mean - self.mean
        self.m2 = self.m2 + other.m2 + delta**2 * self.n * other.n / some
        self.mean = self.mean + delta * other.n / some
        self.n = n

    @property
    def std(self) -> NDArray[np.float64]:
        return np.sqrt(self.m2 / np.maximum(self.n, 1))


@dataclass(frozen=True)
class Subsample:
    """What a look at the image found.

    Parameters
    ----------
    normalization : Normalization
        The statistics.
    pixels, zeros, saturated, nonfinite : int
        Pixels read; of these 0 (integer images), at the dtype's largest value, not finite.
    row_correlation : float
        How much more neighbours within a row resemble each other than neighbours within a
        column do, as a difference of correlations of their second differences: noise that comes
        in stripes has it, neither white noise nor structure of all directions has.
    """

    normalization: Normalization
    pixels: int
    zeros: int
    saturated: int
    nonfinite: int
    row_correlation: float


def measure(
    stack: ImageStack, samples: Sequence[int], channels: Sequence[int] | None, kind: str
) -> Subsample:
    """Measure mean and standard deviation on a fixed subsample of an image.

    Parameters
    ----------
    stack : ImageStack
        The image, nothing folded.
    samples : sequence of int
        Samples (S and T merged) that will be predicted.
    channels : sequence of int or None
        Channels that will be predicted; None for all.
    kind : {"none", "time_point", "series"}
        Whether each sample has statistics of its own.

    Returns
    -------
    Subsample
        Statistics and counts. Pixels that are not finite are left out of the statistics.
    """
    shape = tuple(stack.data_shape)
    n_channels = shape[1] if channels is None else len(channels)
    chosen = list(samples)
    if kind != "time_point" and len(chosen) > 64:
        # The whole series is one distribution: a few dozen time points describe it.
        chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, 64).round().astype(int)]
    budget = int(np.clip(2**22 // (len(chosen) * n_channels), 2**14, 2**20))
    largest = _largest_value(np.dtype(stack.data_dtype))
    counts = np.zeros(4, np.int64)
    stripes = _Stripes()
    rows: list[_Moments] = []
    for sample in chosen:
        moments = _Moments.empty(n_channels)
        for coords, size in _blocks(shape[2:], budget):
            block = np.asarray(stack.extract_patch(sample, channels, coords, size))
            pixels = block.reshape(n_channels, -1).astype(np.float64)
            moments.add(pixels)
            stripes.add(block.astype(np.float64))
            counts += (
                block.size,
                np.count_nonzero(block == 0) if largest is not None else 0,
                np.count_nonzero(block == largest) if largest is not None else 0,
                np.count_nonzero(~np.isfinite(pixels)),
            )
        rows.append(moments)
    if kind != "time_point":
        total = _Moments.empty(n_channels)
        for moments in rows:
            total.merge(moments)
        rows = [total]
    normalization = Normalization(
        kind,
        tuple(int(sample) for sample in chosen) if kind == "time_point" else (),
        tuple(tuple(float(v) for v in row.mean) for row in rows),
        tuple(tuple(float(v) for v in row.std) for row in rows),
    )
    return Subsample(normalization, *(int(count) for count in counts), stripes.excess)


def _largest_value(dtype: np.dtype[Any]) -> int | None:
    return int(np.iinfo(dtype).max) if dtype.kind in "iu" else None


def _blocks(
    spatial: Sequence[int], budget: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Coordinates and sizes of blocks, evenly spread, of about ``budget`` pixels in all."""
    if np.prod(spatial) <= budget:
        return [((0,) * len(spatial), tuple(spatial))]
    size = tuple(1 if len(spatial) == 3 and i == 0 else min(BLOCK, s) for i, s in enumerate(spatial))
    wanted = max(1, budget // int(np.prod(size)))
    fitting = [max(1, s // b) for s, b in zip(spatial, size, strict=True)]
    # As many blocks along each axis as keep their distances alike.
    share = (wanted / np.prod(fitting)) ** (1 / len(spatial))
    n = [int(np.clip(round(f * share), 1, f)) for f in fitting]
    starts = [
        np.linspace(0, s - b, k).round().astype(int) if k > 1 else np.array([(s - b) // 2])
        for s, b, k in zip(spatial, size, n, strict=True)
    ]
    grid = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(spatial))
    return [(tuple(int(c) for c in coords), size) for coords in grid]


class _Stripes:
    """Excess of the correlation along rows over that along columns, streamed over blocks."""

    def __init__(self) -> None:
        self._sums = np.zeros((2, 2))

    def add(self, block: NDArray[np.float64]) -> None:
        """Add a ``C(Z)YX`` block."""
        if min(block.shape[-2:]) < 4:
            return
        for i, planes in enumerate((block, block.swapaxes(-1, -2))):
            # The second difference across rows removes smooth structure and keeps noise.
            across = planes[..., 1:-1, :] - (planes[..., :-2, :] + planes[..., 2:, :]) / 2
            across = np.where(np.isfinite(across), across, 0)
            self._sums[i] += (across[..., :-1] * across[..., 1:]).sum(), (across**2).sum()

    @property
    def excess(self) -> float:
        along_rows, along_columns = self._sums[:, 0] / np.maximum(self._sums[:, 1], 1e-30)
        return float(along_rows - along_columns)
