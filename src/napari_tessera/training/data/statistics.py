"""Mean and standard deviation of what is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.own_format.document import EPSILON
from napari_tessera.prediction.moments import Moments
from napari_tessera.training.data.images import Images
from napari_tessera.training.data.parts import Part
from napari_tessera.training.data.source import Statistics
from napari_tessera.training.data.where import Where
from napari_tessera.training.errors import TrainingError

BUDGET = 256 * 2**20
"""Bytes of pixels that are measured; of a larger image parts all over it."""

LARGEST = 1e30
"""What a mean or a standard deviation may come to: more is in no model's file."""

_DECODED = 8
_PLANES = 8


@dataclass(frozen=True)
class Measured:
    """What was found.

    Parameters
    ----------
    statistics : Statistics
        Of the pixels that are finite.
    share : float
        Part of the pixels that may be trained on that was looked at, 0…1.
    """

    statistics: Statistics
    share: float


@dataclass(frozen=True)
class _Counted:
    """A part with something to be trained on: pixels of each sample, and what must be decoded."""

    part: Part
    pixels: tuple[int, ...]
    decoded: int

    def fewer(self, most: int) -> _Counted:
        """The same with at most so many of its samples, evenly spaced."""
        kept = _spread(len(self.pixels), most)
        part = Part(self.part.cells, tuple(self.part.samples[i] for i in kept))
        return _Counted(part, tuple(self.pixels[i] for i in kept), self.decoded)


def measure(images: Images, where: Where, parts: Sequence[Part], budget: int = BUDGET) -> Measured:
    """Measure the pixels that may be trained on, and no others.

    Parameters
    ----------
    images : Images
        The noisy image, and the clean one where there is one.
    where : Where
        What is held out and kept out of; none of these pixels is read.
    parts : sequence of Part
        The training part. Where more of it may be trained on than the budget, some parts are
        measured, evenly spread, and 8 samples of each.
    budget : int
        Bytes that may be read. Eight times as many may be decoded for them, where little of each
        chunk is trained on.

    Raises
    ------
    TrainingError
        If a channel has no pixel that is finite, or none that differs from the others; if it has
        grey levels that are too large for a model's file, or differ by too little to be seen beside
        the 1e-6 that is added to their standard deviation.
    """
    channels = images.shape[1]
    pixels = budget / (channels * images.nbytes / prod(images.shape))
    counted = _counted(images, where, parts)
    total = sum(sum(one.pixels) for one in counted)
    chosen = _some(counted, pixels)
    noisy, clean = Moments(channels), Moments(channels)
    for part in (one.part for one in chosen):
        once = images.once()
        for sample in part.samples:
            excluded = where.excluded(sample)
            included = np.ones(where.grid.shape, np.bool_) if excluded is None else ~excluded
            for box in where.grid.runs(included, part.cells):
                pair = once.read(sample, [a for a, _ in box], [b - a for a, b in box])
                noisy.add(_columns(pair[0]))
                if pair[1] is not None:
                    clean.add(_columns(pair[1]))
    share = sum(sum(one.pixels) for one in chosen) / total if total else 1.0
    found = _checked(noisy, images.noisy.source, share, "image")
    if images.target is None:
        return Measured(Statistics(*found), share)
    of_clean = _checked(clean, images.target.source, share, "target")
    return Measured(Statistics(*found, *of_clean), share)


def _counted(images: Images, where: Where, parts: Sequence[Part]) -> list[_Counted]:
    """Parts and samples with something to be trained on, and how much."""
    chunked = any(images.chunk(letter) > 1 for letter in "ZYX")
    known: dict[tuple[Any, ...], int] = {}
    found = []
    for part in parts:
        samples, pixels = [], []
        for sample in part.samples:
            kind = (part.cells, where.kind(sample))
            if kind not in known:
                excluded = where.excluded(sample)
                of_cells = where.grid.pixels_of(part.cells)
                if excluded is not None:
                    of_cells = of_cells[~excluded[tuple(slice(*along) for along in part.cells)]]
                known[kind] = int(of_cells.sum())
            if known[kind]:
                samples.append(sample)
                pixels.append(known[kind])
        if samples:
            whole = prod(stop - start for start, stop in where.grid.pixels(part.cells))
            decoded = whole * len(part.samples) if chunked else 0
            found.append(_Counted(Part(part.cells, tuple(samples)), tuple(pixels), decoded))
    return found


def _some(counted: Sequence[_Counted], most: float) -> list[_Counted]:
    """All parts, or so many that they have about so many pixels; at least one."""

    def share(parts: Sequence[_Counted]) -> float:
        pixels = sum(sum(one.pixels) for one in parts)
        decoded = sum(one.decoded for one in parts)
        return min(most / max(1, pixels), _DECODED * most / max(1, decoded))

    if share(counted) >= 1:
        return list(counted)
    fewer = [one.fewer(_PLANES) for one in counted]
    n, kept = len(fewer), max(1, int(len(fewer) * min(1.0, share(fewer))))
    # anywhere in as many equal pieces: at even steps they might lie in a few columns of the image
    within = np.random.Generator(np.random.PCG64(0)).random(kept)
    return [fewer[i] for i in np.unique(((np.arange(kept) + within) * n / kept).astype(int))]


def _spread(n: int, most: int) -> list[int]:
    """Numbers out of 0…n−1, evenly spaced, in the middle of as many equal pieces."""
    most = min(n, most)
    return [int((at + 0.5) * n / most) for at in range(most)]


def _columns(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(pixels, np.float64).reshape(len(pixels), -1)


def _checked(
    moments: Moments, source: str, share: float, field: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    means, stds = moments.mean, moments.std
    which = "that may be trained on"
    if share < 1:
        which = f"that was looked at ({100 * share:.2g} % of what may be trained on)"
    if not moments.n.any():
        raise TrainingError(
            f"no pixel of {source} {which} is a finite number; repair the image, give a mask of "
            "what is whole, or train on another one",
            field,
        )
    for channel, (n, mean, std) in enumerate(zip(moments.n, means, stds, strict=True)):
        named = source if len(stds) == 1 else f"channel {channel} of {source}"
        if not n:
            raise TrainingError(
                f"no pixel of {named} {which} is a finite number; leave the channel out", field
            )
        if std == 0:
            way_out = "train on another image" if len(stds) == 1 else "leave it out"
            if share < 1:
                way_out += ", or give a mask of where something is to be seen"
            raise TrainingError(
                f"every pixel of {named} {which} is {mean:g}: there is nothing to learn from; "
                f"{way_out}",
                field,
            )
        largest = max(abs(mean), std)
        if largest > LARGEST:
            raise TrainingError(
                f"grey levels of {named} are of the size of {largest:.1e}, and a model takes "
                f"{LARGEST:g} at most; divide the image by {_power(largest)}",
                field,
            )
        if std < EPSILON:
            raise TrainingError(
                f"grey levels of {named} have a standard deviation of {std:.1e}, and less than "
                f"{EPSILON:g} cannot be learned from; multiply the image by {_power(std, -1)}",
                field,
            )
    return tuple(map(float, means)), tuple(map(float, stds))


def _power(value: float, sign: int = 1) -> str:
    """The power of ten nearest to a value, or to its inverse."""
    return f"1e{round(sign * log10(value))}"
