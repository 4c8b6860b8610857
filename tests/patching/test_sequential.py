"""Patches on a regular grid."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching import SequentialPatching

from .shapes import place, specs_of, stacks_and_patch


def starts(size: int, patch: int, overlap: int) -> list[int]:
    """Starts along one axis, found step by step."""
    found = [0]
    while found[-1] + patch < size:
        found.append(min(found[-1] + patch - overlap, size - patch))
    return found


@given(stacks_and_patch(), st.data())
def test_the_grid_covers_every_pixel_and_ends_at_the_edge(
    case: tuple[list[tuple[int, ...]], tuple[int, ...]], data: st.DataObject
) -> None:
    stacks, patch = case
    overlaps = tuple(2 * data.draw(st.integers(0, (size - 1) // 2)) for size in patch)
    patching = SequentialPatching(data_shapes=stacks, patch_size=patch, overlaps=overlaps)
    assert (patching.patch_size, patching.overlaps) == (patch, overlaps)
    specs = specs_of(patching)
    for data_idx, shape in enumerate(stacks):
        own = [specs[index] for index in patching.get_patch_indices(data_idx)]
        along = [starts(*axis) for axis in zip(shape[2:], patch, overlaps, strict=True)]
        assert patching.grid_shape(data_idx) == tuple(len(axis) for axis in along)
        grid = np.stack(np.meshgrid(*along, indexing="ij"), -1).reshape(-1, len(patch))
        for sample in range(shape[0]):
            coords = [spec["coords"] for spec in own if spec["sample_idx"] == sample]
            assert coords == [tuple(at) for at in grid.tolist()]
        covered = np.zeros((shape[0], *shape[2:]), bool)
        for spec in own:
            covered[place(spec)] = True
        assert covered.all()
        for axis, size in enumerate(shape[2:]):
            assert max(spec["coords"][axis] for spec in own) == size - patch[axis]


def test_without_overlaps_patches_lie_side_by_side() -> None:
    patching = SequentialPatching([(2, 1, 20, 8)], (8, 8))
    assert patching.overlaps == (0, 0)
    assert [spec["coords"] for spec in specs_of(patching)] == 2 * [(0, 0), (8, 0), (12, 0)]


def test_sizes_beyond_64_bits_are_only_arithmetic() -> None:
    size = 10**25
    patching = SequentialPatching([(10**9, 1, size, size, size)], (10, 10, 10), (4, 4, 4))
    along = -(-(size - 10) // 6) + 1
    assert patching.n_patches == 10**9 * along**3
    last = patching.get_patch_spec(patching.n_patches - 1)
    assert last["coords"] == (size - 10,) * 3
    assert last["sample_idx"] == 10**9 - 1
    assert prod(patching.grid_shape(0)) == along**3


def test_overlaps_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^overlap X: 3 is odd: use 2 or 4$"):
        SequentialPatching([(1, 1, 32, 32)], (8, 8), (2, 3))
