"""How often pixels are selected, and regions drawn from: exactly, and over many epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import product
from math import ceil, lcm, prod

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_tessera.patching import StratifiedPatching

Cell = tuple[int, ...]


class ScriptedGenerator(np.random.Generator):
    """Gives the numbers that it is told to give."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers: Sequence[float] = ()

    def random(self, size: int) -> NDArray[np.float64]:  # type: ignore[override]
        assert size == len(self.numbers)
        return np.array(self.numbers)


def middles(n: int) -> list[float]:
    return [(i + 0.5) / n for i in range(n)]


def exact_coverage(
    spatial: Cell, patch_size: Cell, excluded: Sequence[Cell] = (), zero: Sequence[Cell] = ()
) -> NDArray[np.object_]:
    """Expected selections per epoch of each pixel, exactly, of a single sample.

    All that can be drawn is gone through: each number a patch is made of is cut into so many
    parts, alike in length, that none of its outcomes ends within a part.
    """
    rng = ScriptedGenerator()
    patching = StratifiedPatching([(1, 1, *spatial)], patch_size, seed=rng)
    patching.exclude_patches(0, 0, excluded)
    patching.set_region_probs(0, 0, dict.fromkeys(zero, 0.0))

    rests = [s % p for s, p in zip(spatial, patch_size, strict=True)]
    last = [s // p - 1 for s, p in zip(spatial, patch_size, strict=True)]
    drawn = set(patching.get_included_grid_coords()[0, 0]) - set(zero)
    at_edge = [
        cell
        for cell in drawn
        if any(rest and g == n for g, n, rest in zip(cell, last, rests, strict=True))
    ]
    parts = [lcm(p, p + rest) for p, rest in zip(patch_size, rests, strict=True)]
    parts[0] = lcm(parts[0], len(at_edge) or 1)
    which = prod(p for p, rest in zip(patch_size, rests, strict=True) if rest)
    choices = {2: 2, 3: 6}[len(spatial)]

    starts: dict[Cell, int] = {}
    for numbers in product(middles(which), *map(middles, parts), middles(choices)):
        rng.numbers = numbers
        for index in range(patching.n_patches):
            start = tuple(patching.get_patch_spec(index)["coords"])
            starts[start] = starts.get(start, 0) + 1
    coverage = np.zeros(spatial, dtype=object)
    for start, count in starts.items():
        coverage[box(start, patch_size)] += count
    outcomes = which * prod(parts) * choices
    return coverage * Fraction(1, outcomes)


def box(start: Iterable[int], size: Iterable[int]) -> tuple[slice, ...]:
    return tuple(slice(x, x + n) for x, n in zip(start, size, strict=True))


def interior(spatial: Cell, patch_size: Cell, excluded: Sequence[Cell] = ()) -> NDArray[np.bool_]:
    """Pixels away from borders and from exclusions."""
    inside = np.zeros(spatial, dtype=bool)
    inside[tuple(slice(p - 1, s - p) for s, p in zip(spatial, patch_size, strict=True))] = True
    for cell in excluded:
        inside[
            tuple(
                slice(max(0, g - 1) * p, (g + 2) * p) for g, p in zip(cell, patch_size, strict=True)
            )
        ] = False
    return inside


@pytest.mark.parametrize(
    ("spatial", "patch_size", "excluded"),
    [
        ((7, 10), (2, 3), []),
        ((12, 9), (3, 3), []),
        ((7, 8), (3, 2), [(0, 0)]),
        ((8, 11), (2, 2), [(1, 3), (3, 0)]),
        ((8, 9), (2, 2), [(0, 3), (3, 3)]),
        ((9, 9), (1, 2), [(4, 1)]),
        ((10, 10), (2, 2), [(0, 1), (1, 0), (4, 4)]),
        ((5, 3), (4, 3), []),
        ((5, 7), (5, 7), []),
        ((6, 8, 7), (2, 2, 2), []),
        ((8, 8, 8), (2, 2, 2), [(0, 1, 1), (1, 0, 1), (1, 1, 0)]),
        ((4, 6, 5), (2, 2, 2), [(0, 0, 0), (1, 2, 1)]),
    ],
)
def test_away_from_borders_and_exclusions_pixels_are_selected_once(
    spatial: Cell, patch_size: Cell, excluded: list[Cell]
) -> None:
    coverage = exact_coverage(spatial, patch_size, excluded)
    inside = interior(spatial, patch_size, excluded)
    assert (coverage[inside] == 1).all()
    blocked = np.zeros(spatial, dtype=bool)
    for cell in excluded:
        blocked[box((g * p for g, p in zip(cell, patch_size, strict=True)), patch_size)] = True
    assert (coverage[blocked] == 0).all()
    weight = sum(
        prod(
            Fraction(p + s % p, p) if g == s // p - 1 else Fraction(1)
            for g, s, p in zip(cell, spatial, patch_size, strict=True)
        )
        for cell in np.ndindex(*(s // p for s, p in zip(spatial, patch_size, strict=True)))
        if cell not in excluded
    )
    assert coverage.sum() == ceil(weight) * prod(patch_size)
    # Every other pixel is selected, now and then.
    reachable = ~blocked
    for axis, (s, p) in enumerate(zip(spatial, patch_size, strict=True)):
        rest = np.arange(s) >= s - s % p
        reachable &= ~np.expand_dims(rest, tuple(a for a in range(len(spatial)) if a != axis))
    assert (coverage[reachable] > 0).all()


def test_regions_of_probability_zero_leave_the_others_as_they_are() -> None:
    zero = [(0, 0), (0, 1), (1, 0)]
    coverage = exact_coverage((11, 10), (2, 2), zero=zero)
    inside = interior((11, 10), (2, 2), zero)
    assert inside.any()
    assert (coverage[inside] == 1).all()


def epochs(patching: StratifiedPatching, n_epochs: int) -> NDArray[np.int64]:
    """Selections of each pixel of the only sample in each epoch."""
    spatial = patching.data_shapes[0][2:]
    counts = np.zeros((n_epochs, *spatial), dtype=np.int64)
    for epoch in counts:
        for index in range(patching.n_patches):
            spec = patching.get_patch_spec(index)
            epoch[box(spec["coords"], spec["patch_size"])] += 1
    return counts


@pytest.mark.parametrize(
    ("spatial", "patch_size", "excluded"),
    [
        ((53, 74), (8, 10), []),
        ((64, 64), (8, 8), [(2, 2), (5, 1)]),
        ((26, 20, 31), (5, 4, 6), [(1, 3, 3)]),
    ],
)
def test_coverage_of_epochs_is_one_within_three_standard_errors(
    spatial: Cell, patch_size: Cell, excluded: list[Cell]
) -> None:
    patching = StratifiedPatching([(1, 1, *spatial)], patch_size, seed=11)
    patching.exclude_patches(0, 0, excluded)
    n_epochs = 60
    counts = epochs(patching, n_epochs)
    inside = interior(spatial, patch_size, excluded)
    of_epochs = counts[:, inside].mean(axis=1)
    error = of_epochs.std(ddof=1) / np.sqrt(n_epochs)
    assert abs(of_epochs.mean() - 1) < 3 * error
    # Pixel by pixel, deviations are as large as chance makes them. Chance leaves none to a pixel
    # at the end of a cell: all patches that hold it are those of one region.
    of_pixels = counts[:, inside]
    varies = of_pixels.std(axis=0) > 0
    assert (of_pixels[:, ~varies] == 1).all()
    of_pixels = of_pixels[:, varies]
    z = (of_pixels.mean(axis=0) - 1) / (of_pixels.std(axis=0, ddof=1) / np.sqrt(n_epochs))
    assert 0.7 < np.sqrt((z**2).mean()) < 1.3
    assert (np.abs(z) > 3).mean() < 0.02
    # Over all pixels too, but for the number of patches being a whole one.
    if not excluded:
        fits = prod(spatial) / prod(patch_size)
        assert counts.mean() == pytest.approx(ceil(fits) / fits)


def region_counts(
    patching: StratifiedPatching, n_epochs: int, patch_size: Cell
) -> NDArray[np.int64]:
    """Patches from each region of the only sample, in each epoch."""
    shape = tuple(s // p for s, p in zip(patching.data_shapes[0][2:], patch_size, strict=True))
    counts = np.zeros((n_epochs, *shape), dtype=np.int64)
    for epoch in counts:
        for index in range(patching.n_patches):
            coords = patching.get_patch_spec(index)["coords"]
            epoch[
                tuple(min(x // p, n - 1) for x, p, n in zip(coords, patch_size, shape, strict=True))
            ] += 1
    return counts


@pytest.mark.parametrize(
    ("spatial", "patch_size"), [((64, 64), (8, 8)), ((61, 83), (8, 10)), ((18, 24, 25), (6, 6, 6))]
)
def test_numbers_of_patches_follow_the_probabilities(spatial: Cell, patch_size: Cell) -> None:
    rng = np.random.default_rng(5)
    patching = StratifiedPatching([(1, 1, *spatial)], patch_size, seed=5)
    weights = np.ones(tuple(s // p for s, p in zip(spatial, patch_size, strict=True)))
    for axis, (s, p) in enumerate(zip(spatial, patch_size, strict=True)):
        np.moveaxis(weights, axis, 0)[-1] *= 1 + s % p / p
    probs = rng.choice([0.0, 0.1, 0.3, 0.5, 1.0], size=weights.shape)
    probs.ravel()[:5] = 0, 0.1, 0.3, 0.5, 1.0
    patching.set_region_probs(0, 0, {cell: probs[cell] for cell in np.ndindex(weights.shape)})
    n_epochs = 400
    counts = region_counts(patching, n_epochs, patch_size)
    assert (counts[:, probs == 0] == 0).all()
    product = weights * probs
    expected = patching.n_patches * product / product.sum()
    drawn = probs > 0
    # No count of an epoch varies more than that of a Poisson process.
    z = ((counts.mean(axis=0) - expected) / np.sqrt(expected.clip(1e-9) / n_epochs))[drawn]
    assert np.abs(z).max() < 4
    for prob in (0.1, 0.3, 0.5, 1.0):
        of_prob = counts[:, probs == prob].sum(axis=1)
        error = max(of_prob.std(ddof=1) / np.sqrt(n_epochs), 1e-9)
        assert abs(of_prob.mean() - expected[probs == prob].sum()) < 3 * error
