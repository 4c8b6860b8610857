"""How often pixels are selected, and regions drawn from: exactly, and over many epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil, prod

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_tessera.patching import StratifiedPatching
from napari_tessera.patching.stratified.grid import RegionGrid
from napari_tessera.patching.stratified.sample import StratifiedSample

from .stratified_model import exact_starts, region_weights, start_masses

Cell = tuple[int, ...]


def exact_coverage(
    spatial: Cell, patch_size: Cell, excluded: Sequence[Cell] = (), zero: Sequence[Cell] = ()
) -> NDArray[np.object_]:
    """Expected selections per epoch of each pixel, exactly, of a single sample."""
    grid = RegionGrid(spatial, patch_size)
    sample = StratifiedSample(grid)
    if excluded:
        sample = sample.excluding(np.ravel_multi_index(tuple(np.transpose(excluded)), grid.shape))
    if zero:
        numbers = np.ravel_multi_index(tuple(np.transpose(zero)), grid.shape)
        sample = sample.with_probs(numbers, np.zeros(len(zero)))
    coverage = np.full(spatial, Fraction(0), dtype=object)
    for start, mass in exact_starts(sample).items():
        coverage[box(start, patch_size)] += mass
    return coverage


def box(start: Iterable[int], size: Iterable[int]) -> tuple[slice, ...]:
    return tuple(slice(x, x + n) for x, n in zip(start, size, strict=True))


def interior(spatial: Cell, patch_size: Cell, excluded: Sequence[Cell] = ()) -> NDArray[np.bool_]:
    """Pixels away from borders and from exclusions."""
    inside = np.zeros(spatial, dtype=bool)
    inside[tuple(slice(p, s - p) for s, p in zip(spatial, patch_size, strict=True))] = True
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
    weights = region_weights(spatial, patch_size)
    weight = weights.sum() - sum(weights[cell] for cell in excluded)
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


def most_at_one_start(spatial: Cell, patch_size: Cell) -> Fraction:
    """Expected number of patches per epoch at one start, at most, nothing being excluded.

    The start has its own mass, and may have the whole spare share of its region; where no pixel is
    a patch away from all borders, the spare share is spread like the masses.
    """
    masses = [start_masses(s, p) for s, p in zip(spatial, patch_size, strict=True)]
    own = prod((max(of_axis) for of_axis in masses), start=Fraction(1))
    fits = Fraction(prod(spatial), prod(patch_size))
    spare = ceil(fits) - fits
    if any(s <= 2 * p for s, p in zip(spatial, patch_size, strict=True)):
        return own * (1 + spare / fits)
    weights = region_weights(spatial, patch_size)
    interior = prod(n - 2 for n in weights.shape)
    return own + spare * weights.max() / (fits - interior)


# Of all patches, the part that has one and the same start.
CONCENTRATION = [
    # All starts alike: 37², 65² and 65·37 of them.
    ((100, 100), (64, 64), Fraction(1, 37**2)),
    ((128, 128), (64, 64), Fraction(1, 65**2)),
    ((128, 100), (64, 64), Fraction(1, 65 * 37)),
    # A start in a corner has the mass ((p + 1)/2p)², about a quarter of a patch.
    ((200, 200), (64, 64), Fraction(1, 30)),
    ((531, 591), (64, 64), Fraction(1, 250)),
]


@pytest.mark.parametrize(("spatial", "patch_size", "part"), CONCENTRATION)
def test_no_start_has_more_than_a_small_part_of_the_patches(
    spatial: Cell, patch_size: Cell, part: Fraction
) -> None:
    patching = StratifiedPatching([(1, 1, *spatial)], patch_size, seed=3)
    n_epochs = 10_000 // patching.n_patches
    most = most_at_one_start(spatial, patch_size)
    assert most / patching.n_patches <= part
    starts = Counter(
        patching.get_patch_spec(index)["coords"]
        for _ in range(n_epochs)
        for index in range(patching.n_patches)
    )
    expected = float(n_epochs * most)
    assert max(starts.values()) < expected + 6 * max(1, expected) ** 0.5


@pytest.mark.parametrize(
    ("spatial", "patch_size"),
    [((25, 25), (16, 16)), ((32, 32), (16, 16)), ((50, 50), (16, 16)), ((9, 9, 11), (4, 3, 4))],
)
def test_no_start_is_expected_more_often_than_its_mass_and_spare_share(
    spatial: Cell, patch_size: Cell
) -> None:
    starts = exact_starts(StratifiedSample(RegionGrid(spatial, patch_size)))
    assert len(starts) == prod(s - p + 1 for s, p in zip(spatial, patch_size, strict=True))
    assert max(starts.values()) <= most_at_one_start(spatial, patch_size)


def test_spare_patches_are_spread_like_the_others_where_no_pixel_is_away_from_borders() -> None:
    starts = exact_starts(StratifiedSample(RegionGrid((10, 8), (6, 4))))
    assert len(starts) == 5 * 5
    assert set(starts.values()) == {Fraction(ceil(Fraction(80, 24)), 25)}


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
    weights = region_weights(spatial, patch_size).astype(float)
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
