"""Patches spread evenly over the image: where they may lie, and how often."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterable
from fractions import Fraction
from math import ceil, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_tessera.patching import Patching, StratifiedPatching

from .stratified_model import region_weights

Cell = tuple[int, ...]


def box(start: Iterable[int], size: Iterable[int]) -> tuple[slice, ...]:
    return tuple(slice(x, x + n) for x, n in zip(start, size, strict=True))


@st.composite
def shapes_and_patch(draw: st.DrawFn) -> tuple[list[Cell], Cell]:
    n_spatial = draw(st.integers(2, 3))
    patch_size = tuple(draw(st.integers(1, 7)) for _ in range(n_spatial))
    shapes = [
        (
            draw(st.integers(1, 3)),
            draw(st.integers(1, 3)),
            *(draw(st.integers(p, 3 * p + 4)) for p in patch_size),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    return shapes, patch_size


@settings(max_examples=40)
@given(shapes_and_patch(), st.integers(0, 2**32), st.data())
def test_specifications_are_in_bounds_and_off_excluded_cells(
    case: tuple[list[Cell], Cell], seed: int, data: st.DataObject
) -> None:
    shapes, patch_size = case
    patching = StratifiedPatching(shapes, patch_size, seed)
    assert isinstance(patching, Patching)
    assert patching.n_patches == sum(
        shape[0] * ceil(Fraction(prod(shape[2:]), prod(patch_size))) for shape in shapes
    )
    blocked = [np.zeros((shape[0], *shape[2:]), dtype=bool) for shape in shapes]
    coords = patching.get_all_grid_coords()
    for (data_idx, sample_idx), cells in coords.items():
        excluded = data.draw(st.lists(st.sampled_from(cells), max_size=6))
        patching.exclude_patches(data_idx, sample_idx, excluded)
        for cell in excluded:
            start = (g * p for g, p in zip(cell, patch_size, strict=True))
            blocked[data_idx][sample_idx][box(start, patch_size)] = True
        probs = data.draw(st.dictionaries(st.sampled_from(cells), st.floats(0, 1), max_size=4))
        patching.set_region_probs(data_idx, sample_idx, probs)
        assert set(patching.get_included_grid_coords()[data_idx, sample_idx]) == set(cells) - set(
            excluded
        )

    ranges = [patching.get_patch_indices(data_idx) for data_idx in range(len(shapes))]
    assert [index for indices in ranges for index in indices] == list(range(patching.n_patches))
    samples = []
    for data_idx, indices in enumerate(ranges):
        assert isinstance(indices, range)
        for index in indices:
            spec = patching.get_patch_spec(index)
            assert spec["data_idx"] == data_idx
            assert spec["patch_size"] == patch_size
            assert all(type(x) is int for x in (spec["sample_idx"], *spec["coords"]))
            assert type(spec["coords"]) is tuple
            for x, p, s in zip(spec["coords"], patch_size, shapes[data_idx][2:], strict=True):
                assert 0 <= x <= s - p
            assert not blocked[data_idx][spec["sample_idx"]][box(spec["coords"], patch_size)].any()
            samples.append((data_idx, spec["sample_idx"]))
    assert samples == sorted(samples)
    for index in (-1, patching.n_patches):
        with pytest.raises(IndexError):
            patching.get_patch_spec(index)


@pytest.mark.parametrize(
    ("spatial", "patch_size"), [((71, 50), (8, 6)), ((64, 64), (16, 16)), ((21, 30, 26), (5, 6, 7))]
)
@pytest.mark.parametrize("part", [0.1, 0.4, 0.8])
def test_exclusions_hold_over_ten_thousand_patches(
    spatial: Cell, patch_size: Cell, part: float
) -> None:
    rng = np.random.default_rng(3)
    patching = StratifiedPatching([(5, 1, *spatial)], patch_size, seed=rng)
    blocked = np.zeros((5, *spatial), dtype=bool)
    for (_, sample_idx), cells in patching.get_all_grid_coords().items():
        excluded = rng.permutation(cells)[: int(part * len(cells))]
        patching.exclude_patches(0, sample_idx, excluded)
        for cell in excluded:
            blocked[sample_idx][box(cell * patch_size, patch_size)] = True
    n = patching.n_patches
    for draw in range(10_000):
        spec = patching.get_patch_spec(draw % n)
        assert not blocked[spec["sample_idx"]][box(spec["coords"], patch_size)].any()


@pytest.mark.parametrize("spatial", [(80, 64), (83, 70), (24, 16, 32), (25, 23, 30)])
def test_the_number_falls_with_the_excluded_area(spatial: Cell) -> None:
    patch_size = (8,) * len(spatial)
    weights = region_weights(spatial, patch_size)
    cells = list(np.ndindex(weights.shape))
    checkerboard = [cell for cell in cells if sum(cell) % 2]
    half = [cell for cell in cells if cell[0] < weights.shape[0] / 2]
    for excluded in (checkerboard, half, cells[:1], cells[-1:], cells[:-1], cells):
        patching = StratifiedPatching([(2, 1, *spatial), (1, 1, *spatial)], patch_size, seed=0)
        before = patching.n_patches
        full = ceil(weights.sum())
        assert before == 3 * full
        patching.exclude_patches(0, 1, excluded)
        left = weights.sum() - sum(weights[cell] for cell in excluded)
        assert patching.n_patches == 2 * full + ceil(left)
        assert len(patching.get_patch_indices(1)) == full
        # Excluding again what is excluded changes nothing.
        patching.exclude_patches(0, 1, excluded[:3])
        assert patching.n_patches == 2 * full + ceil(left)


def test_a_sample_can_be_excluded_altogether() -> None:
    patching = StratifiedPatching([(3, 1, 16, 16)], (8, 8), seed=0)
    cells = patching.get_all_grid_coords()[0, 1]
    patching.exclude_patches(0, 1, cells)
    assert patching.n_patches == 8
    assert [patching.get_patch_spec(i)["sample_idx"] for i in range(8)] == [0] * 4 + [2] * 4
    assert patching.get_included_grid_coords()[0, 1] == []
    patching.set_region_probs(0, 0, dict.fromkeys(cells, 0))
    patching.set_region_probs(0, 2, dict.fromkeys(cells, 0.0))
    assert patching.n_patches == 0
    assert patching.get_patch_indices(0) == range(0)
    with pytest.raises(IndexError, match="patch 0 is not there: there is none"):
        patching.get_patch_spec(0)


@pytest.mark.parametrize("spatial", [(512, 512), (531, 591), (256, 192, 128), (531, 391, 254)])
@pytest.mark.parametrize("seed", [42, 666, 1])
def test_the_number_falls_by_what_probabilities_are_short_of_one(spatial: Cell, seed: int) -> None:
    patching = StratifiedPatching([(1, 1, *spatial)], (64,) * len(spatial), seed=0)
    exact = prod(spatial) / 64 ** len(spatial)
    cells = patching.get_all_grid_coords()[0, 0]
    probs = np.random.default_rng(seed).random(len(cells))
    probs[seed % len(cells)] = 1
    patching.set_region_probs(0, 0, dict(zip(cells, probs, strict=True)))
    assert 0 <= patching.n_patches - (exact - (1 - probs).sum()) < 1


def test_probabilities_of_one_change_nothing() -> None:
    plain = StratifiedPatching([(1, 1, 61, 83)], (8, 10), seed=9)
    patching = StratifiedPatching([(1, 1, 61, 83)], (8, 10), seed=9)
    cells = patching.get_all_grid_coords()[0, 0]
    patching.set_region_probs(0, 0, dict.fromkeys(cells, 0.5))
    assert patching.n_patches == ceil(plain.n_patches / 2)
    patching.set_region_probs(0, 0, dict.fromkeys(cells, 1))
    assert specs(patching) == specs(plain)


def test_exclusions_outlast_probabilities_and_the_other_way_round() -> None:
    patching = StratifiedPatching([(1, 1, 64, 64)], (8, 8), seed=0)
    cells = patching.get_all_grid_coords()[0, 0]
    weights = region_weights((64, 64), (8, 8)).ravel()
    patching.set_region_probs(0, 0, dict.fromkeys(cells[:8], 0.5))
    assert patching.n_patches == 64 - 8 / 2
    # An excluded cell's probability is kept, without effect.
    patching.exclude_patches(0, 0, cells[:4])
    left = ceil(weights[4:].sum() - 4 / 2)
    assert patching.n_patches == left
    patching.set_region_probs(0, 0, dict.fromkeys(cells[:4], 1.0))
    assert patching.n_patches == left
    assert patching.get_included_grid_coords()[0, 0] == cells[4:]
    patching.set_region_probs(0, 0, dict.fromkeys(cells[4:8], 0))
    assert patching.n_patches == ceil(weights[8:].sum())
    assert all(spec["coords"][0] >= 8 for spec in specs(patching))


def specs(patching: StratifiedPatching, n_epochs: int = 3) -> list[Any]:
    return [
        patching.get_patch_spec(index)
        for _ in range(n_epochs)
        for index in range(patching.n_patches)
    ]


@pytest.mark.parametrize(
    "seed", [0, 2**70, [1, 2, 3], np.random.SeedSequence(4)], ids=["0", "large", "list", "sequence"]
)
def test_same_seed_and_calls_same_patches(seed: Any) -> None:
    def drawn(seed: Any) -> list[Any]:
        patching = StratifiedPatching([(2, 1, 37, 52), (1, 1, 24, 24)], (8, 8), seed)
        first = specs(patching)
        patching.exclude_patches(0, 1, [(1, 1), (2, 2)])
        patching.set_region_probs(1, 0, {(0, 0): 0.3})
        return first + specs(patching)

    before = np.random.get_state()[1].tolist()  # type: ignore[union-attr, index]  # noqa: NPY002
    assert drawn(seed) == drawn(seed)
    assert drawn(seed) != drawn(1)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[union-attr, index]  # noqa: NPY002


def test_patches_are_fresh_at_every_call() -> None:
    patching = StratifiedPatching([(1, 1, 512, 512)], (64, 64), seed=0)
    for index in range(patching.n_patches):
        assert len({patching.get_patch_spec(index)["coords"] for _ in range(50)}) > 20


def test_a_generator_is_drawn_from_as_it_is() -> None:
    rng = np.random.default_rng(8)
    patching = StratifiedPatching([(1, 1, 64, 64)], (8, 8), rng)
    drawn = specs(patching)
    assert drawn == specs(StratifiedPatching([(1, 1, 64, 64)], (8, 8), 8))
    assert patching.rng is rng


def test_samples_are_known_one_by_one() -> None:
    patching = StratifiedPatching([(2, 1, 64, 40), (10**9, 1, 16, 17)], (8, 8), seed=0)
    images = patching.image_patching
    assert len(images) == 2
    assert len(images[1]) == 10**9
    assert images[0][0].grid_shape == (8, 5)
    assert images[1][10**9 - 1].grid_shape == (2, 2)
    assert images[0][1].n_patches == 40
    patching.exclude_patches(0, 1, [(3, 2), (4, 2)])
    assert [image.n_patches for image in images[0]] == [40, 38]
    with pytest.raises(IndexError):
        images[2]


def test_samples_of_very_many_regions_are_drawn_from_but_not_listed() -> None:
    patching = StratifiedPatching([(1, 1, 10**10, 10**10)], (3, 7), seed=0)
    assert patching.n_patches == ceil(Fraction(10**20, 21))
    for index in (0, patching.n_patches // 2, patching.n_patches - 1):
        y, x = patching.get_patch_spec(index)["coords"]
        assert 0 <= y <= 10**10 - 3
        assert 0 <= x <= 10**10 - 7
    for ask, what in [
        (lambda: patching.exclude_patches(0, 0, [(0, 0)]), "50000000 that can be excluded"),
        (
            lambda: patching.set_region_probs(0, 0, {(0, 0): 0.5}),
            "10000000 that can be given probabilities",
        ),
        (patching.get_all_grid_coords, "50000000 that can be listed"),
        (patching.get_included_grid_coords, "50000000 that can be listed"),
    ]:
        message = (
            rf"^a sample of image stack 0 has \d{{19}} regions, more than the {what}: use larger "
            r"patches, or cut the image into parts$"
        )
        with pytest.raises(ValueError, match=message):
            ask()


def test_grid_coordinates_are_those_of_every_sample() -> None:
    patching = StratifiedPatching([(2, 1, 17, 30), (1, 2, 8, 39)], (8, 10), seed=0)
    grid = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    expected = {(0, 0): grid, (0, 1): grid, (1, 0): [(0, 0), (0, 1), (0, 2)]}
    assert patching.get_all_grid_coords() == expected
    assert patching.get_included_grid_coords() == expected
    # What is given is the caller's own.
    for coords in (patching.get_all_grid_coords(), patching.get_included_grid_coords()):
        coords[0, 0].clear()
        assert coords[0, 1] == grid
    patching.exclude_patches(0, 1, grid[1:5])
    assert patching.get_all_grid_coords() == expected
    assert patching.get_included_grid_coords() == {**expected, (0, 1): [grid[0], grid[5]]}
    assert all(type(g) is int for cell in patching.get_included_grid_coords()[0, 1] for g in cell)


def test_what_is_wrong_is_named_and_changes_nothing() -> None:
    with pytest.raises(ValueError, match=re.escape("patch size X: 65 is larger than the image's")):
        StratifiedPatching([(1, 1, 128, 128), (1, 1, 64, 64)], (64, 65))
    with pytest.raises(ValueError, match="patch size Y: 0 is below 1"):
        StratifiedPatching([(1, 1, 64, 64)], (0, 8))
    with pytest.raises(ValueError, match="seed -1 seeds no random generator"):
        StratifiedPatching([(1, 1, 64, 64)], (8, 8), -1)

    patching = StratifiedPatching([(2, 1, 64, 64), (1, 1, 64, 64)], (8, 8), seed=0)
    before = patching.get_included_grid_coords(), patching.n_patches
    for data_idx, sample_idx, name in [
        (2, 0, "image stack 2 is outside 0…1"),
        (-1, 0, "image stack -1 is outside 0…1"),
        (1, 1, "sample 1 is outside 0…0"),
        (0, -1, "sample -1 is outside 0…1"),
    ]:
        with pytest.raises(IndexError, match=name):
            patching.exclude_patches(data_idx, sample_idx, [(0, 0)])
        with pytest.raises(IndexError, match=name):
            patching.set_region_probs(data_idx, sample_idx, {(0, 0): 0.5})
    with pytest.raises(IndexError, match="image stack 2 is outside 0…1"):
        patching.get_patch_indices(2)
    with pytest.raises(ValueError, match=r"grid coordinates \(8, 0\), \(-1, 3\) are off the grid"):
        patching.exclude_patches(0, 0, [(0, 0), (8, 0), (-1, 3)])
    with pytest.raises(KeyError, match=r"grid coordinates \(8, 0\) are off the grid"):
        patching.set_region_probs(0, 0, {(0, 0): 0.5, (8, 0): 0.5})
    with pytest.raises(ValueError, match=r"probability 1.5 of region \(0, 1\) is none: use 0…1"):
        patching.set_region_probs(0, 0, {(0, 0): 0.5, (0, 1): 1.5})
    for index in (-1, patching.n_patches, patching.n_patches + 5):
        with pytest.raises(IndexError, match=f"patch {index} is outside 0…191"):
            patching.get_patch_spec(index)
    assert (patching.get_included_grid_coords(), patching.n_patches) == before


def test_numbers_of_numpy_are_taken() -> None:
    patching = StratifiedPatching(np.array([[1, 1, 64, 64]]), np.array([8, 8]), seed=0)
    patching.exclude_patches(np.int64(0), np.int32(0), np.array([[1, 1], [1, 2]]))
    patching.set_region_probs(np.int8(0), np.int8(0), {(np.int64(3), np.int64(3)): np.float32(0)})
    assert patching.n_patches == 61
    assert patching.get_patch_spec(np.int64(60))["data_idx"] == 0


def test_large_images_and_many_samples_cost_next_to_nothing() -> None:
    tracemalloc.start()
    try:
        many = StratifiedPatching([(10_000, 1, 2048, 2048)] * 3, (64, 64), seed=0)
        large = StratifiedPatching([(1, 1, 100_000, 100_000)], (64, 64), seed=0)
        deep = StratifiedPatching([(1, 1, 8192, 100_000, 100_000)], (32, 64, 64), seed=0)
        for patching in (many, large, deep):
            for part in range(100):
                patching.get_patch_spec(patching.n_patches // 200 * part)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        assert many.n_patches == 3 * 10_000 * 1024
        assert large.n_patches == ceil(1562.5**2)
        # What the last regions weigh more than 1 needs a table, but of these alone.
        assert large.get_patch_spec(large.n_patches - 1)["data_idx"] == 0
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
        # One changed sample costs what one sample costs.
        many.exclude_patches(1, 5000, [(3, 3)])
        many.get_patch_spec(many.get_patch_indices(1)[5000 * 1024])
        assert many.n_patches == 3 * 10_000 * 1024 - 1
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@given(shapes_and_patch(), st.data())
@settings(max_examples=40)
def test_what_is_left_is_drawn_from(case: tuple[list[Cell], Cell], data: st.DataObject) -> None:
    shapes, patch_size = case
    patching = StratifiedPatching(shapes[:1], patch_size, seed=1)
    cells = patching.get_all_grid_coords()[0, 0]
    assume(len(cells) > 1)
    left = data.draw(st.sampled_from(cells))
    for sample_idx in range(shapes[0][0]):
        patching.exclude_patches(0, sample_idx, [cell for cell in cells if cell != left])
    spec = patching.get_patch_spec(0)
    for x, g, p, s in zip(spec["coords"], left, patch_size, shapes[0][2:], strict=True):
        assert g * p <= x <= (s - p if g == s // p - 1 else g * p)
