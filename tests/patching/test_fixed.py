"""Patches given one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching import FixedPatching, PatchSpecs, TiledPatching, is_tile_specs

from .shapes import specs_of


def spec(data_idx: int = 0, sample_idx: int = 0) -> PatchSpecs:
    return PatchSpecs(data_idx=data_idx, sample_idx=sample_idx, coords=(1, 2), patch_size=(4, 3))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_the_given_patches_come_in_the_given_order(pairs: list[tuple[int, int]]) -> None:
    given_specs = [spec(*pair) for pair in pairs]
    patching = FixedPatching(fixed_patch_specs=given_specs)
    assert patching.n_patches == len(pairs)
    assert specs_of(patching) == given_specs
    assert list(patching.fixed_patch_specs) == given_specs
    for data_idx in range(6):
        own = [index for index, pair in enumerate(pairs) if pair[0] == data_idx]
        assert patching.get_patch_indices(data_idx) == own


def test_numbers_and_sequences_of_every_kind_become_plain() -> None:
    patching = FixedPatching(
        [
            {
                "data_idx": np.int64(1),
                "sample_idx": np.uint8(2),
                "coords": np.array([3, -4]),
                "patch_size": [np.int32(5), 6],
            }
        ]
    )
    assert patching.get_patch_spec(np.int64(0)) == {
        "data_idx": 1,
        "sample_idx": 2,
        "coords": (3, -4),
        "patch_size": (5, 6),
    }
    found = patching.get_patch_spec(0)
    assert type(found["data_idx"]) is int
    assert {type(number) for number in (*found["coords"], *found["patch_size"])} == {int}


def test_tiles_stay_tiles_and_other_entries_stay() -> None:
    tiled = TiledPatching([(1, 1, 20, 20)], (8, 8), (2, 2))
    tiles = specs_of(tiled)
    patching = FixedPatching(tiles)
    assert specs_of(patching) == tiles
    assert is_tile_specs(patching.get_patch_spec(0))
    labelled = {**spec(), "label": "kept"}
    assert FixedPatching([labelled]).get_patch_spec(0) == labelled  # type: ignore[list-item]


def test_what_was_given_may_change_afterwards() -> None:
    mine = spec()
    patching = FixedPatching([mine])
    mine["data_idx"] = 7
    patching.get_patch_spec(0)["data_idx"] = 8
    patching.get_patch_indices(0).append(9)
    assert patching.get_patch_spec(0)["data_idx"] == 0
    assert patching.get_patch_indices(0) == [0]


def test_what_is_outside_is_an_index_error() -> None:
    patching = FixedPatching([spec(), spec(3)])
    for index in (-1, 2):
        with pytest.raises(IndexError, match=f"^patch {index} is outside 0…1$"):
            patching.get_patch_spec(index)
    with pytest.raises(IndexError, match=r"^image stack -1 is outside 0…$"):
        patching.get_patch_indices(-1)
    with pytest.raises(TypeError, match=r"^patch 0.0 is not a whole number$"):
        patching.get_patch_spec(0.0)  # type: ignore[arg-type]
    assert patching.get_patch_indices(1) == []
    with pytest.raises(IndexError, match=r"^patch 0 is not there: there is none$"):
        FixedPatching([]).get_patch_spec(0)
