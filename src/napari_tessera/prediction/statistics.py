"""Statistics of an image from a fixed subsample, so that no full pass precedes the first tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.processing import MEAN, STD, Statistic
from napari_tessera.prediction.moments import Moments
from napari_tessera.prediction.noise import Products, known, stripes
from napari_tessera.prediction.normalization import Normalization
from napari_tessera.prediction.quantiles import quantiles_of
from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.read_once import read_once

BLOCK = 64
"""Edge of the blocks that are read of an image too large to be read whole, in pixels."""

READ_WHOLE = 2**18
"""Pixels up to which a sample is read whole: a few blocks would cost the same chunks."""

MOST_SAMPLES = 2048
"""Samples with statistics of their own; in longer series neighbours share theirs."""

SERIES_SAMPLES = 64
"""Samples that describe a whole series: it is one distribution."""

STRIPE_SAMPLES = 16
"""Samples on which stripes are looked for: they belong to the camera, not to the time point."""

STRIPE_PIXELS = 2**18
"""Pixels of each channel on which they are looked for in one sample, and a quarter of that in each
of several: more would tell no more."""

KEPT_VALUES = 2**22
"""Values that quantiles are taken of, over all samples and channels."""


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
    warnings : tuple of str
        What people should know of the image beside the model, one line each.
    """

    normalization: Normalization
    pixels: int
    zeros: int
    saturated: int
    nonfinite: int
    row_correlation: float
    warnings: tuple[str, ...] = ()


def measure(
    stack: ImageStack,
    samples: Sequence[int],
    channels: Sequence[int] | None,
    kind: str,
    statistics: Sequence[Statistic] = (MEAN, STD),
    *,
    apart: bool = False,
) -> Subsample:
    """Measure statistics on a fixed subsample of an image.

    Parameters
    ----------
    stack : ImageStack
        The image, nothing folded.
    samples : sequence of int
        Samples (S and T merged) that will be predicted. Others do not change their values.
    channels : sequence of int or None
        Channels that will be predicted; None for all.
    kind : {"none", "model", "time_point", "series"}
        Under ``"time_point"`` each sample has statistics of its own.
    statistics : sequence of Statistic
        What is measured.
    apart : bool
        Whether each channel goes to the model by itself: then what is pooled over channels is
        that of the one.

    Returns
    -------
    Subsample
        Statistics and counts. Pixels that are not finite are left out of the statistics.
    """
    shape = tuple(stack.data_shape)
    # Nothing here depends on what part of the image is predicted: a preview has the statistics of
    # a full run.
    looked_at = samples_to_look_at(shape[0], samples, kind)
    budget = int(np.clip(2**22 // (shape[0] * shape[1]), 2**14, 2**20))
    n_channels = shape[1] if channels is None else len(channels)
    dtype = np.dtype(stack.data_dtype)
    largest = _largest_value(dtype)
    quantiles = any(s.is_ordered and s.of_dtype(dtype) is None for s in statistics)
    rows_of_all = shape[0] // samples_together(shape[0]) if kind == "time_point" else len(looked_at)
    most = max(2**10, KEPT_VALUES // (max(1, rows_of_all) * shape[1]))
    pixels = zeros = saturated = nonfinite = 0
    # every pixel of an outline is unknown: one of each sample says so
    spatial = (1,) * len(shape[2:]) if getattr(stack, "is_outline", False) else shape[2:]
    in_stripes = _Stripes()
    striped = STRIPE_PIXELS // min(4, len(looked_at))
    rows: list[_Looked] = []
    blocks = few_blocks(spatial, budget)
    if _share_chunks(stack, blocks, len(looked_at)):
        stack = read_once(stack)
    for sample in looked_at:
        row = _Looked(Moments(n_channels), [], dtype)
        for number, (coords, size) in enumerate(blocks):
            block = np.asarray(stack.extract_patch(sample, channels, coords, size))
            values = _thinned(block.reshape(n_channels, -1), budget).astype(np.float64)
            finite = row.moments.add(values)
            if quantiles:
                row.values.append(values)
            every = max(1, len(blocks) * block[0].size // striped)
            if len(rows) < STRIPE_SAMPLES and number % every == 0:
                in_stripes.add(_central(block, striped))
            pixels += values.size
            nonfinite += values.size - finite
            if largest is not None:
                zeros += int(np.count_nonzero(values == 0))
                saturated += int(np.count_nonzero(values == largest))
        if quantiles:
            row.values = [_thinned(np.concatenate(row.values, axis=1), most)]
        rows.append(row)
    if kind != "time_point":
        rows = [_together(rows, n_channels)]
    normalization = Normalization(
        kind,
        tuple(looked_at) if kind == "time_point" else (),
        tuple(statistics),
        tuple(row.table(statistics, apart) for row in rows),
    )
    return Subsample(normalization, pixels, zeros, saturated, nonfinite, in_stripes.excess)


@dataclass
class _Looked:
    """What was seen of one row: moments, and where quantiles are wanted the values (C, n)."""

    moments: Moments
    values: list[NDArray[np.float64]]
    dtype: np.dtype[Any]

    def table(self, statistics: Sequence[Statistic], apart: bool) -> tuple[tuple[float, ...], ...]:
        """Values by statistic and channel."""
        return tuple(tuple(float(v) for v in self._of(s, apart)) for s in statistics)

    def _of(self, statistic: Statistic, apart: bool) -> NDArray[np.float64]:
        pooled = statistic.pooled and not apart
        n_channels = self.moments.n.size
        known = statistic.of_dtype(self.dtype)
        if known is not None:
            found = np.array([known])
        elif not statistic.is_ordered:
            moments = self.moments.pooled() if pooled else self.moments
            found = moments.mean if statistic.kind == "mean" else moments.std
        else:
            values = np.concatenate(self.values, axis=1)
            groups = [values.ravel()] if pooled else list(values)
            found = quantiles_of(groups, statistic.fraction)
        return np.repeat(found, n_channels // found.size)


def _together(rows: Sequence[_Looked], channels: int) -> _Looked:
    total = _Looked(Moments(channels), [], rows[0].dtype)
    for row in rows:
        total.moments.merge(row.moments)
        total.values += row.values
    return total


def _thinned(values: NDArray[Any], most: int) -> NDArray[Any]:
    """About ``most`` of the values of each channel, evenly spread."""
    # Odd, so that it does not run along the columns of an even image.
    step = values.shape[1] // most | 1 if values.shape[1] > most else 1
    return values[:, ::step]


def _share_chunks(
    stack: ImageStack, blocks: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], n_samples: int
) -> bool:
    """Whether some blocks lie in the same chunk, which is then worth keeping."""
    along = dict(zip(stack.original_axes, getattr(stack, "chunks", None) or (), strict=False))
    if n_samples > 1 and any(along.get(letter, 1) > 1 for letter in "ST"):
        return True
    sizes = [max(1, along.get(letter, 1)) for letter in "ZYX"[-len(blocks[0][0]) :]]
    met = {tuple(c // n for c, n in zip(coords, sizes, strict=True)) for coords, _ in blocks}
    return len(met) < len(blocks)


def _central(block: NDArray[Any], most: int) -> NDArray[Any]:
    """The middle of a ``C(Z)YX`` block, with about so many pixels of each channel at most."""
    edge = max(BLOCK, isqrt(most // max(1, int(np.prod(block.shape[1:-2])))))
    y, x = (max(0, (size - edge) // 2) for size in block.shape[-2:])
    return block[..., y : y + edge, x : x + edge]


def samples_together(total: int) -> int:
    """How many neighbouring samples of a series share their statistics."""
    return -(-total // MOST_SAMPLES)


def samples_to_look_at(total: int, wanted: Sequence[int], kind: str) -> list[int]:
    """Samples that stand for those wanted, out of all ``total`` of the image, ascending."""
    if kind == "time_point":
        together = samples_together(total)
        return sorted({sample // together * together for sample in wanted})
    if total <= SERIES_SAMPLES:
        return list(range(total))
    return [int(i) for i in np.linspace(0, total - 1, SERIES_SAMPLES).round()]


def _largest_value(dtype: np.dtype[Any]) -> int | None:
    return int(np.iinfo(dtype).max) if dtype.kind in "iu" else None


def few_blocks(
    spatial: Sequence[int], budget: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Coordinates and sizes of blocks, evenly spread, of about ``budget`` pixels in all."""
    if np.prod(spatial) <= max(budget, READ_WHOLE):
        return [((0,) * len(spatial), tuple(spatial))]
    size = tuple(
        1 if len(spatial) == 3 and i == 0 else min(BLOCK, s) for i, s in enumerate(spatial)
    )
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
        self._along = Products(), Products()

    def add(self, block: NDArray[Any]) -> None:
        """Add a ``C(Z)YX`` block of any type."""
        rows, columns = stripes(known(block))
        self._along = self._along[0] + rows, self._along[1] + columns

    @property
    def excess(self) -> float:
        rows, columns = self._along
        return rows.correlation - columns.correlation
