"""Which patches are looked at: few and small, so that an image of any size is checked quickly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from napari_tessera.testing.reference import Patch

_MOST_PIXELS = 2**19
_LONGEST = 96
_FAR = 10**6


def generator() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(0)


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` of the numbers below ``count``, evenly spread, first and last among them."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()})


def whole_sample(shape: Sequence[int]) -> tuple[int, ...]:
    """Size of a patch that covers a sample, or of the largest one that is still read quickly."""
    _, channels, *space = shape
    while channels * np.prod(space, dtype=float) > _MOST_PIXELS and max(space) > 1:
        longest = space.index(max(space))
        space[longest] = -(-space[longest] // 2)
    return tuple(space)


def inside(shape: Sequence[int], count: int, rng: np.random.Generator) -> Iterator[Patch]:
    """Patches inside the image, of any size up to 96 pixels along an axis."""
    samples, _, *space = shape
    limits = whole_sample(shape)
    for _ in range(count):
        size = [
            int(rng.integers(1, min(length, limit, _LONGEST) + 1))
            for length, limit in zip(space, limits, strict=True)
        ]
        yield _at_random(samples, space, size, rng)


def pixels(shape: Sequence[int], count: int, rng: np.random.Generator) -> Iterator[Patch]:
    """Single pixels: every corner of the first and the last sample, and some anywhere."""
    samples, _, *space = shape
    one = (1,) * len(space)
    for sample in sorted({0, samples - 1}):
        for corner in product(*(sorted({0, length - 1}) for length in space)):
            yield sample, None, corner, one
    for _ in range(count):
        yield _at_random(samples, space, one, rng)


def over_edges(shape: Sequence[int], rng: np.random.Generator) -> Iterator[Patch]:
    """Patches over each edge, over each corner, and wider than the image along each axis."""
    samples, _, *space = shape
    for axis, length in enumerate(space):
        for beyond, side in product((1, 3), (0, 1)):
            _, _, coords, size = _small(samples, space, rng)
            size[axis] = min(length, 4) + beyond
            coords[axis] = length + beyond - size[axis] if side else -beyond
            yield _sample(samples, rng), None, tuple(coords), tuple(size)
        _, _, coords, size = _small(samples, space, rng)
        coords[axis], size[axis] = -2, length + 5
        yield _sample(samples, rng), None, tuple(coords), tuple(size)
    for corner in product((0, 1), repeat=len(space)):
        size = [min(length, 5) + 2 for length in space]
        coords = [
            length + 2 - n if far else -2
            for far, length, n in zip(corner, space, size, strict=True)
        ]
        yield _sample(samples, rng), None, tuple(coords), tuple(size)


def outside(shape: Sequence[int], rng: np.random.Generator) -> Iterator[Patch]:
    """Patches that hold no pixel of the image: just beside it, and far from it."""
    samples, _, *space = shape
    for axis, length in enumerate(space):
        _, _, coords, size = _small(samples, space, rng)
        for at in (-size[axis], length, -_FAR, length + _FAR):
            beside = [*coords[:axis], at, *coords[axis + 1 :]]
            yield _sample(samples, rng), None, tuple(beside), tuple(size)


def channel_choices(count: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Each channel alone (of many, some), all backwards, subsets, and channels named twice."""
    some = spread(count, 8)
    yield from ((channel,) for channel in some)
    yield tuple(reversed(some))
    yield (count - 1, 0, count - 1)
    yield (0, 0)
    for _ in range(4):
        yield tuple(int(c) for c in rng.permutation(some)[: int(rng.integers(1, len(some) + 1))])
    if count > 2:
        yield tuple(range(0, count, 2))[:8]


def _small(
    samples: int, space: Sequence[int], rng: np.random.Generator
) -> tuple[int, None, list[int], list[int]]:
    size = [int(rng.integers(1, min(length, 6) + 1)) for length in space]
    sample, _, coords, _ = _at_random(samples, space, size, rng)
    return sample, None, list(coords), size


def _at_random(
    samples: int, space: Sequence[int], size: Sequence[int], rng: np.random.Generator
) -> Patch:
    coords = (int(rng.integers(0, length - n + 1)) for length, n in zip(space, size, strict=True))
    return _sample(samples, rng), None, tuple(coords), tuple(size)


def _sample(samples: int, rng: np.random.Generator) -> int:
    return int(rng.integers(samples))
