"""Which levels a pyramid has, and where their pixels lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from napari_tessera.metadata import ImageMetadata
from napari_tessera.units import ome_unit, unit_ratio
from napari_tessera.writing.chunks.chunking import Chunking
from napari_tessera.writing.chunks.halves import plane_levels

_ROUNDING = 1.01
"""Steps that differ by a percent are the same: files round them."""


@dataclass(frozen=True)
class Level:
    """One array of a pyramid.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    chunks : tuple of int
        Its chunks.
    shards : tuple of int or None
        Its shards, if it has some.
    factors : tuple of int
        How many pixels of the level before become one, along each axis; all 1 for the first.
    total_factors : tuple of int
        The same of the first level's pixels.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    factors: tuple[int, ...]
    total_factors: tuple[int, ...]


def plan_levels(
    axes: str, shape: Sequence[int], chunking: Chunking, metadata: ImageMetadata | None = None
) -> tuple[Level, ...]:
    """Choose the levels of a pyramid, the full size first.

    Each has half the pixels of the one before along Y and X, and along Z too as long as the step
    along Z is as fine as that in the plane; where that is unknown Z stays. The last one's Y and X
    are 512 or less. Samples, time points and channels stay.

    Parameters
    ----------
    axes : str
        Axes of the image, letters out of ``STCZYX``.
    shape : sequence of int
        Its shape.
    chunking : Chunking
        Chunks and shards of the first level; all have the same chunks, cut to their shape, and
        shards of half the size of those of the level before.
    metadata : ImageMetadata, optional
        Pixel sizes, of these axes or others.
    """
    sizes = tuple(int(size) for size in shape)
    steps = None if metadata is None else _steps(metadata)
    ones = (1,) * len(sizes)
    levels = [_level(axes, sizes, chunking, ones, ones)]
    for _ in plane_levels(*(sizes[axes.index(letter)] for letter in "YX")):
        fine = steps is not None and steps["Z"] <= _ROUNDING * min(steps["Y"], steps["X"])
        factors = tuple(
            2 if size > 1 and (letter in "YX" or (letter == "Z" and fine)) else 1
            for letter, size in zip(axes, sizes, strict=True)
        )
        if steps is not None:
            halved = dict(zip(axes, factors, strict=True))
            steps = {letter: step * halved.get(letter, 1) for letter, step in steps.items()}
        sizes = tuple(-(-size // factor) for size, factor in zip(sizes, factors, strict=True))
        total = tuple(map(mul, levels[-1].total_factors, factors))
        levels.append(_level(axes, sizes, chunking, factors, total))
    return tuple(levels)


def level_scale(
    scale: Sequence[float], translation: Sequence[float], total_factors: Sequence[int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and translation of a level.

    The mean of some pixels lies in the middle of them, so that the centre of the first one moves.

    Parameters
    ----------
    scale, translation : sequence of float
        Of the first level.
    total_factors : sequence of int
        How many of its pixels become one.
    """
    return (
        tuple(step * factor for step, factor in zip(scale, total_factors, strict=True)),
        tuple(
            start + step * (factor - 1) / 2
            for start, step, factor in zip(translation, scale, total_factors, strict=True)
        ),
    )


def _level(
    axes: str,
    shape: tuple[int, ...],
    chunking: Chunking,
    factors: tuple[int, ...],
    total_factors: tuple[int, ...],
) -> Level:
    # those of all levels together take no more than twice what those of the first do
    cut = chunking.grown_to(axes, shape, max(total_factors))
    return Level(shape, cut.chunks, cut.shards, factors, total_factors)


def _steps(metadata: ImageMetadata) -> dict[str, float] | None:
    """Length of a step along Z, Y and X in one unit; None where they cannot be compared."""
    along = {letter: metadata.along(letter) for letter in "ZYX"}
    units = {ome_unit(letter, unit) for letter, (_, unit, _) in along.items()}
    scales = {letter: abs(scale) for letter, (scale, _, _) in along.items()}
    if "Z" not in metadata.axes or metadata.scale is None or not all(scales.values()):
        return None
    if units == {None}:
        # 1 for each without a unit is what stands where nothing is known
        return None if set(scales.values()) == {1.0} else scales
    if None in units:
        return None
    return {
        letter: scale * (unit_ratio(ome_unit(letter, along[letter][1]), "meter") or 0.0)
        for letter, scale in scales.items()
    }
