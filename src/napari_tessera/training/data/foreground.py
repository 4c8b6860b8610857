"""An estimate of where in an image something is to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm, prod

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.images import Images

BUDGET = 512 * 2**20
"""Bytes of pixels that are looked at."""

_READ_PIXELS = 2**24
_DECODED = 8
_BIN = 4
_BINS = 256
_LEVELS = 200_000
_SPREADS = 4.0
_LEAST = 0.01


class Foreground:
    """How much of each cell stands out from the background.

    Grey levels are averaged over 4 × 4 pixels, so that little noise is left. What counts as
    foreground lies above a threshold: that of Otsu (IEEE Trans. SMC 9, 1979), or four spreads of
    the background above its peak where that is lower, so that dim structures beside bright ones are
    kept. A cell is clear background where less than a hundredth of it, and of all cells beside it,
    is foreground.

    Of an image that is larger than the budget evenly spaced planes are looked at, and the others
    are taken to be as the nearest of them. Where single planes are larger than that nothing is left
    out.

    Parameters
    ----------
    images : Images
        Of these the noisy image is looked at.
    grid : CellGrid
        Its cells.
    budget : int
        Bytes that may be read.
    """

    def __init__(self, images: Images, grid: CellGrid, budget: int = BUDGET) -> None:
        samples, channels, *space = images.shape
        per_sample = channels * prod(space) * images.noisy.data_dtype.itemsize
        looked_at = min(samples, budget // per_sample)
        deep = images.chunk("Z") if len(space) == 2 else 1
        if looked_at:
            # a plane of deep chunks takes as long as all that are decoded with it
            looked_at = max(1, min(looked_at, _DECODED * budget // (per_sample * deep)))
        self.looked_at = tuple(
            sorted({round(at) for at in np.linspace(0, samples - 1, looked_at).tolist()})
        )
        """Samples that were read."""
        self._shape = grid.shape
        self._spacing = tuple(min(_BIN, size) for size in space[-2:])
        binned = [self._binned(images, sample) for sample in self.looked_at]
        self.thresholds = tuple(
            threshold(_some([levels[channel] for levels in binned])) if binned else -np.inf
            for channel in range(channels)
        )
        """For each channel: what is above is foreground."""
        self._shares = [self._cell_shares(levels, grid) for levels in binned]

    def key(self, sample: int) -> tuple[int, ...]:
        """Samples of one key have the same estimate."""
        if not self.looked_at:
            return (0,)
        return (int(np.abs(np.array(self.looked_at) - sample).argmin()),)

    def shares(self, sample: int) -> NDArray[np.float32]:
        """Share of each cell that is foreground, 0…1, in the shape of the grid."""
        if not self.looked_at:
            return np.ones(self._shape, np.float32)
        return self._shares[self.key(sample)[0]]

    def excluded(self, sample: int) -> NDArray[np.bool_]:
        """Cells of clear background, which nothing is trained on."""
        around: NDArray[np.float32] = maximum_filter(self.shares(sample), size=3, mode="nearest")
        return around < _LEAST

    def _binned(self, images: Images, sample: int) -> NDArray[np.float64]:
        """A sample averaged over 4 × 4 pixels: C(Z)YX."""
        space, channels = images.space, images.shape[1]
        bins = CellGrid(space, (*(1,) * (len(space) - 2), *self._spacing))
        levels = np.empty((channels, *bins.shape))
        # in strips of whole chunks, so that neither a plane nor a chunk is there twice
        each = lcm(images.chunk("ZYX"[-len(space)]), bins.patch[0]) // bins.patch[0]
        each *= max(1, _READ_PIXELS // (each * bins.patch[0] * prod(space[1:])))
        for start in range(0, bins.shape[0], each):
            stop = min(start + each, bins.shape[0])
            box = bins.pixels(((start, stop), *((0, n) for n in bins.shape[1:])))
            strip = CellGrid((channels, *(b - a for a, b in box)), (1, *bins.patch))
            pixels = images.noisy.extract_patch(sample, None, [a for a, _ in box], strip.space[1:])
            with np.errstate(invalid="ignore", over="ignore"):
                levels[:, start:stop] = strip.means(pixels)
        return levels

    def _cell_shares(self, levels: NDArray[np.float64], grid: CellGrid) -> NDArray[np.float32]:
        limits = np.array(self.thresholds).reshape(-1, *(1,) * (levels.ndim - 1))
        with np.errstate(invalid="ignore"):
            above: NDArray[np.bool_] = np.any(levels > limits, axis=0)
        shares = np.empty(grid.shape, np.float32)
        for cells in grid.blocks(_READ_PIXELS):
            box = grid.pixels(cells)
            # every pixel has the answer of its 4 × 4, so that cells of any size can be counted
            spread = above if len(box) == 2 else above[slice(*box[0])]
            for axis, each in zip((-2, -1), self._spacing, strict=True):
                at = np.minimum(np.arange(*box[axis]) // each, above.shape[axis] - 1)
                spread = spread.take(at, axis=axis)
            shares[tuple(slice(*along) for along in cells)] = grid.of(cells).means(spread)
        return shares


def _some(planes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Evenly spaced values, no more than are needed for a threshold."""
    each = max(1, _LEVELS // len(planes))
    return np.concatenate([plane.ravel()[:: max(1, plane.size // each)] for plane in planes])


def threshold(values: NDArray[np.floating]) -> float:
    """Grey level above which something is foreground.

    Parameters
    ----------
    values : numpy.ndarray
        Averaged grey levels; those that are not finite do not count.

    Returns
    -------
    float
        minus infinity where all are alike: then nothing is background.
    """
    levels = np.sort(values[np.isfinite(values)].astype(np.float64).ravel())
    if not levels.size or levels[0] == levels[-1]:
        return -np.inf
    low, high = np.quantile(levels, [0.001, 0.999])
    if low == high:
        low, high = levels[0], levels[-1]
    otsu = _otsu(levels.clip(low, high))
    peak = _peak(levels)
    below = levels[levels <= peak]
    tail = peak + _SPREADS * float(np.sqrt(np.mean((below - peak) ** 2)))
    return min(otsu, tail) if peak < otsu else otsu


def _otsu(levels: NDArray[np.float64]) -> float:
    """The level that parts two classes with the largest variance between them."""
    counts, edges = np.histogram(levels, _BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()
    sums = (counts * middles).cumsum()
    n, total = below[-1], sums[-1]
    between = np.zeros(_BINS)
    inner = (below > 0) & (below < n)
    between[inner] = (total * below[inner] - n * sums[inner]) ** 2 / (
        below[inner] * (n - below[inner])
    )
    return float(edges[int(between.argmax()) + 1])


def _peak(levels: NDArray[np.float64]) -> float:
    """The half-sample mode of sorted values (Bickel and Frühwirth, CSDA 50, 2006)."""
    while len(levels) > 3:
        half = -(-len(levels) // 2)
        widths = levels[half - 1 :] - levels[: len(levels) - half + 1]
        narrowest = np.flatnonzero(widths == widths.min())
        # of many alike, as in an image of few grey levels, the one in the middle
        at = int(narrowest[len(narrowest) // 2])
        levels = levels[at : at + half]
        if levels[0] == levels[-1]:
            break
    return float(levels.mean())
