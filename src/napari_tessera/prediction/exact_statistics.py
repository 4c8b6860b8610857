"""Statistics of every pixel of an image, in one pass and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.processing import Statistic
from napari_tessera.prediction.moments import Moments
from napari_tessera.prediction.normalization import Normalization
from napari_tessera.prediction.quantiles import (
    DRAWN,
    LEAST_DRAWN,
    MOST_EXACT,
    Drawn,
    Held,
    Histogram,
    Quantiles,
)
from napari_tessera.prediction.statistics import samples_together
from napari_tessera.stacks import ImageStack

BLOCK_PIXELS = 2**22
"""Pixels, channels counted, that are read at once where chunks are smaller."""

LARGEST_BLOCK = 2**25
"""Pixels, channels counted, above which a chunk is read in parts."""


def measure_exactly(
    stack: ImageStack,
    samples: Sequence[int],
    channels: Sequence[int] | None,
    kind: str,
    statistics: Sequence[Statistic],
    *,
    apart: bool = False,
) -> Normalization:
    """Measure statistics on every pixel of the samples they are for.

    Mean and standard deviation are exact to the rounding of float64; quantiles too of integers of
    up to 16 bits, and of up to 2²⁶ pixels in a time point (or series, where one row is for all).
    Of more than that they are taken of values drawn at random, with the bound that
    ``quantile_error`` gives.

    Parameters
    ----------
    stack, samples, channels, kind, statistics, apart
        As `measure`. A series is measured whole, whatever of it will be predicted.

    Returns
    -------
    Normalization
        Its rows. Pixels that are not finite are left out.
    """
    total = int(stack.data_shape[0])
    if kind == "time_point":
        together = samples_together(total)
        starts = sorted({sample // together * together for sample in samples})
        groups = [range(start, min(start + together, total)) for start in starts]
    else:
        starts, groups = [], [range(total)]
    rows = [_Row(stack, group, channels, statistics) for group in groups]
    return Normalization(
        kind,
        tuple(starts),
        tuple(statistics),
        tuple(row.table(statistics, apart) for row in rows),
        measured="exact",
        quantile_error=max(row.error for row in rows),
    )


class _Row:
    """One pass over the samples that share their statistics."""

    def __init__(
        self,
        stack: ImageStack,
        samples: Sequence[int],
        channels: Sequence[int] | None,
        statistics: Sequence[Statistic],
    ) -> None:
        shape = tuple(stack.data_shape)
        self._channels = shape[1] if channels is None else len(channels)
        dtype = np.dtype(stack.data_dtype)
        pixels = prod(shape[2:]) * len(samples)
        self._quantiles = self._collector(dtype, pixels, statistics)
        moments = Moments(self._channels)
        counts = self._quantiles if isinstance(self._quantiles, Histogram) else None
        for sample in samples:
            for coords, size in blocks(stack, self._channels):
                block = np.asarray(stack.extract_patch(sample, channels, coords, size))
                block = block.reshape(self._channels, -1)
                if self._quantiles is not None:
                    self._quantiles.add(block)
                if counts is None:
                    moments.add(block.astype(np.float64))
        self._moments = moments if counts is None else counts.moments
        self._dtype = dtype

    def _collector(
        self, dtype: np.dtype[Any], pixels: int, statistics: Sequence[Statistic]
    ) -> Quantiles | None:
        if dtype.kind in "iub" and dtype.itemsize <= 2:
            return Histogram(self._channels, dtype)
        if not any(statistic.is_ordered for statistic in statistics):
            return None
        if pixels * self._channels <= MOST_EXACT:
            return Held(self._channels, pixels, dtype)
        drawn = max(LEAST_DRAWN, DRAWN // self._channels)
        return Drawn(self._channels, pixels, dtype, drawn)

    @property
    def error(self) -> float:
        """Of the quantiles; see `Normalization`."""
        return 0.0 if self._quantiles is None else self._quantiles.error

    def table(self, statistics: Sequence[Statistic], apart: bool) -> tuple[tuple[float, ...], ...]:
        """Values by statistic and channel."""
        return tuple(
            tuple(float(v) for v in np.broadcast_to(self._of(s, apart), self._channels))
            for s in statistics
        )

    def _of(self, statistic: Statistic, apart: bool) -> NDArray[np.float64]:
        pooled = statistic.pooled and not apart
        known = statistic.of_dtype(self._dtype)
        if known is not None:
            return np.array([known])
        if statistic.is_ordered:
            assert self._quantiles is not None
            return self._quantiles.at(statistic.fraction, pooled)
        moments = self._moments.pooled() if pooled else self._moments
        return moments.mean if statistic.kind == "mean" else moments.std


def blocks(stack: ImageStack, channels: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Coordinates and sizes of blocks that make up a sample, along the stack's chunks.

    Blocks are as many whole chunks as make `BLOCK_PIXELS`, so that no chunk is decoded twice and
    little is held.
    """
    spatial = tuple(int(size) for size in stack.data_shape[2:])
    size = [min(c, s) for c, s in zip(_chunk(stack, len(spatial)), spatial, strict=True)]
    for axis in range(len(spatial)):
        # a chunk too large to be held is read in parts, across its slowest axis first
        others = prod(size) // size[axis]
        size[axis] = max(1, min(size[axis], LARGEST_BLOCK // max(1, others * channels)))
    for axis in reversed(range(len(spatial))):
        others = prod(size) // size[axis]
        chunks = max(1, BLOCK_PIXELS // (others * channels) // size[axis])
        size[axis] = min(spatial[axis], chunks * size[axis])
    for coords in product(*(range(0, s, step) for s, step in zip(spatial, size, strict=True))):
        yield coords, tuple(min(n, s - c) for c, n, s in zip(coords, size, spatial, strict=True))


def _chunk(stack: ImageStack, dims: int) -> tuple[int, ...]:
    """Size of the stack's chunks along (Z)YX; rows where it has none."""
    letters = "ZYX"[-dims:]
    chunks = getattr(stack, "chunks", None)
    along = dict(zip(stack.original_axes, chunks or (), strict=False))
    return tuple(max(1, int(along.get(letter, 1))) for letter in letters)
