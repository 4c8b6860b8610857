"""Whole samples."""

from __future__ import annotations

import pytest

from napari_tessera.patching import WholeSamplePatching, is_tile_specs


def test_there_is_one_patch_a_sample_as_large_as_the_sample() -> None:
    patching = WholeSamplePatching([(2, 1, 5, 6), (1, 3, 7, 8)])
    assert patching.n_patches == 3
    assert patching.get_patch_spec(2) == {
        "data_idx": 1,
        "sample_idx": 0,
        "coords": (0, 0),
        "patch_size": (7, 8),
    }
    assert not is_tile_specs(patching.get_patch_spec(0))
    assert [list(patching.get_patch_indices(i)) for i in (0, 1)] == [[0, 1], [2]]


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^data shape of image stack 0, Y: nan is not a whole"):
        WholeSamplePatching([(2, 1, float("nan"), 6)])
