"""Specifications as a sequence."""

from __future__ import annotations

import pytest

from napari_tessera.patching import FixedRandomPatching, SequentialPatching
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
