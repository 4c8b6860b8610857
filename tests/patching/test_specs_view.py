"""Specifications as a sequence."""

from __future__ import annotations

import pytest

from napari_tessera.patching import (
    FixedRandomPatching,
    SequentialPatching,
    TiledPatching,
    WholeSamplePatching,
)
from napari_tessera.patching.specs_view import SpecsView


def test_it_is_the_sequence_of_what_the_strategy_gives() -> None:
    patching = SequentialPatching([(1, 1, 8, 8)], (4, 4))
    specs = [patching.get_patch_spec(index) for index in range(4)]
    view = SpecsView(patching)
    assert len(view) == 4
    assert list(view) == specs
    assert view[-1] == specs[-1]
    assert view[1:3] == specs[1:3]
    assert view[::-2] == specs[::-2]
    assert specs[2] in view
    with pytest.raises(IndexError):
        view[4]


def test_one_of_very_many_is_made_alone() -> None:
    patching = FixedRandomPatching([(1, 1, 10**9, 10**9)], (10, 10), seed=1)
    assert patching.fixed_patch_specs[10**15] == patching.get_patch_spec(10**15)


def test_it_equals_any_sequence_of_the_same_specifications() -> None:
    patching = FixedRandomPatching([(1, 1, 50, 50)], (5, 5), seed=1)
    same = FixedRandomPatching([(1, 1, 50, 50)], (5, 5), seed=1)
    other = FixedRandomPatching([(1, 1, 50, 50)], (5, 5), seed=2)
    specs = list(patching.fixed_patch_specs)
    for equal in (specs, tuple(specs), same.fixed_patch_specs):
        assert patching.fixed_patch_specs == equal
        assert equal == patching.fixed_patch_specs
    for unequal in (specs[:-1], [*specs, specs[0]], other.fixed_patch_specs, "specs", 5, None):
        assert patching.fixed_patch_specs != unequal
    fewer = FixedRandomPatching([(1, 1, 40, 50)], (5, 5), seed=1)
    assert patching.fixed_patch_specs != fewer.fixed_patch_specs
    with pytest.raises(TypeError, match="unhashable"):
        hash(patching.fixed_patch_specs)


def test_very_many_are_unequal_at_the_first_that_is_not_the_same() -> None:
    one, other = (FixedRandomPatching([(1, 1, 10**30, 9)], (3, 3), seed=i) for i in (1, 2))
    assert one.fixed_patch_specs != other.fixed_patch_specs


def test_every_strategy_without_chance_has_its_specifications() -> None:
    shapes = [(2, 1, 20, 30), (1, 1, 9, 9)]
    tiled = TiledPatching(shapes, (8, 8), (2, 2))
    sequential = SequentialPatching(shapes, (8, 8))
    whole = WholeSamplePatching(shapes)
    for patching, view in [
        (tiled, tiled.tile_specs),
        (sequential, sequential.patch_specs),
        (whole, whole.patch_specs),
    ]:
        assert view == [patching.get_patch_spec(index) for index in range(patching.n_patches)]  # type: ignore[attr-defined]
    large = TiledPatching([(1, 1, 10**7, 10**7)], (10, 10), (0, 0))
    assert large.tile_specs[10**11] == large.get_patch_spec(10**11)
