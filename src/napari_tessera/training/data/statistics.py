"""Mean and standard deviation of what is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.moments import Moments
from napari_tessera.training.data.cells import Box, CellGrid
from napari_tessera.training.data.images import Images
from napari_tessera.training.data.parts import Part
from napari_tessera.training.data.source import Statistics
from napari_tessera.training.data.where import Where
from napari_tessera.training.errors import TrainingError

BUDGET = 256 * 2**20
"""Bytes of pixels that are measured; of a larger image parts all over it."""

_PLANES = 8


@dataclass(frozen=True)
class Measured:
    """What was found.

    Parameters
    ----------
    statistics : Statistics
        Of the pixels that are finite.
    share : float
        Part of the pixels that was looked at, 0…1.
    """

    statistics: Statistics
    share: float


def measure(images: Images, where: Where, parts: Sequence[Part], budget: int = BUDGET) -> Measured:
    """Measure the pixels that may be trained on, and no others.

    Parameters
    ----------
    images : Images
        The noisy image, and the clean one where there is one.
    where : Where
        What is held out and kept out of; none of these pixels is read.
    parts : sequence of Part
        The training part. Where it is larger than the budget some parts are measured, evenly
        spaced, and 8 samples of each.
    budget : int
        Bytes that may be read.

    Raises
    ------
    TrainingError
        If a channel has no pixel that is finite, or none that differs from the others.
    """
    channels = images.shape[1]
    itemsize = images.nbytes // prod(images.shape)
    sizes = [
        len(part.samples) * prod(b - a for a, b in where.grid.pixels(part.cells)) for part in parts
    ]
    chosen, left = list(parts), sum(sizes) * channels * itemsize
    total = sum(sizes)
    if left > budget:
        chosen = _some(parts, sizes, budget / (channels * itemsize))
    noisy, clean = Moments(channels), Moments(channels)
    for part in chosen:
        once = images.once()
        for sample in part.samples:
            excluded = where.excluded(sample)
            included = np.ones(where.grid.shape, np.bool_) if excluded is None else ~excluded
            for box in _slabs(where.grid, included, part.cells):
                pair = once.read(sample, [a for a, _ in box], [b - a for a, b in box])
                noisy.add(_columns(pair[0]))
                if pair[1] is not None:
                    clean.add(_columns(pair[1]))
    means, stds = _checked(noisy, images.noisy.source)
    looked_at = sum(
        len(part.samples) * prod(b - a for a, b in where.grid.pixels(part.cells)) for part in chosen
    )
    share = looked_at / total if total else 1.0
    if images.target is None:
        return Measured(Statistics(means, stds), share)
    return Measured(Statistics(means, stds, *_checked(clean, images.target.source)), share)


def _some(parts: Sequence[Part], sizes: Sequence[int], pixels: float) -> list[Part]:
    """Parts spread evenly over all, together of about so many pixels; at least one."""
    fewer = [
        Part(
            part.cells,
            tuple(part.samples[i] for i in _spread(len(part.samples), _PLANES)),
        )
        for part in parts
    ]
    smaller = [
        size * len(few.samples) // len(part.samples)
        for few, part, size in zip(fewer, parts, sizes, strict=True)
    ]
    count = int(len(fewer) * min(1.0, pixels / sum(smaller)))
    return [fewer[i] for i in _spread(len(fewer), max(1, count))]


def _spread(n: int, most: int) -> list[int]:
    """Numbers out of 0…n−1, evenly spaced, in the middle of as many equal pieces."""
    most = min(n, most)
    return [int((at + 0.5) * n / most) for at in range(most)]


def _slabs(grid: CellGrid, included: NDArray[np.bool_], cells: Box) -> list[Box]:
    return list(grid.runs(included, cells))


def _columns(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(pixels, np.float64).reshape(len(pixels), -1)


def _checked(moments: Moments, source: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    means, stds = moments.mean, moments.std
    if not moments.n.any():
        raise TrainingError(
            f"no pixel of {source} that may be trained on is a finite number; repair the image, "
            "or train on another one",
            "image",
        )
    for channel, (n, mean, std) in enumerate(zip(moments.n, means, stds, strict=True)):
        named = source if len(stds) == 1 else f"channel {channel} of {source}"
        if not n:
            raise TrainingError(
                f"no pixel of {named} is a finite number; leave the channel out", "image"
            )
        if std == 0:
            value = "0" if mean == 0 else f"{mean:g}"
            raise TrainingError(
                f"every pixel of {named} that may be trained on is {value}: there is nothing to "
                f"learn from; {'train on another image' if len(stds) == 1 else 'leave it out'}",
                "image",
            )
    return tuple(map(float, means)), tuple(map(float, stds))
