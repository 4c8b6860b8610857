"""Configurations of patching strategies."""

from __future__ import annotations

import copy
import json
import pickle
import re
from dataclasses import FrozenInstanceError
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching import (
    FixedPatchingConfig,
    FixedRandomPatchingConfig,
    PatchingConfig,
    RandomPatchingConfig,
    SequentialPatchingConfig,
    StratifiedPatchingConfig,
    TiledPatching,
    TiledPatchingConfig,
    WholePatchingConfig,
    patching_config_from_dict,
)

from .shapes import specs_of

NAMES = {
    TiledPatchingConfig: "tiled",
    WholePatchingConfig: "whole",
    RandomPatchingConfig: "random",
    FixedRandomPatchingConfig: "fixed_random",
    StratifiedPatchingConfig: "stratified",
    SequentialPatchingConfig: "sequential",
    FixedPatchingConfig: "fixed",
}
SEEDED = [RandomPatchingConfig, FixedRandomPatchingConfig, StratifiedPatchingConfig]
TILES = specs_of(TiledPatching([(1, 1, 20, 20)], (8, 8), (2, 2)))
PATCH: dict[str, Any] = {"data_idx": 0, "sample_idx": 1, "coords": [3, 4], "patch_size": [5, 6]}


@st.composite
def configs(draw: st.DrawFn) -> PatchingConfig:
    kind = draw(st.sampled_from(list(NAMES)))
    if kind is WholePatchingConfig:
        return WholePatchingConfig()
    if kind is FixedPatchingConfig:
        specs = draw(st.lists(st.sampled_from([*TILES, PATCH]), max_size=4))
        return FixedPatchingConfig(fixed_patch_specs=specs)
    k = draw(st.sampled_from([1, 2, 4]))
    patch = [k * draw(st.integers(2, 20)) for _ in range(draw(st.integers(2, 3)))]
    if kind in SEEDED:
        numbers = st.integers(0, 2**100)
        seed = draw(st.none() | numbers | st.lists(numbers, min_size=1, max_size=3))
        return kind(patch_size=patch, seed=seed)
    even = max(2, k)
    overlaps = [draw(st.integers(0, (size - 1) // even)) * even for size in patch]
    if kind is SequentialPatchingConfig:
        return kind(patch_size=patch, overlaps=draw(st.sampled_from([None, overlaps])))
    alignment = draw(st.sampled_from([k, [k] * len(patch)]))
    return kind(patch_size=patch, overlaps=overlaps, alignment=alignment)


@given(configs())
def test_they_go_to_json_and_back(config: PatchingConfig) -> None:
    settings = config.to_dict()
    assert settings["name"] == NAMES[type(config)]
    assert next(iter(settings)) == "name"
    again = json.loads(json.dumps(settings))
    assert again == settings
    found = patching_config_from_dict(again)
    assert found == config
    assert type(found) is type(config)
    assert hash(found) == hash(config)
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


def test_all_are_in_the_union() -> None:
    assert set(get_args(PatchingConfig)) == set(NAMES)


def test_names_may_be_given_and_must_be_right() -> None:
    assert WholePatchingConfig(name="whole") == WholePatchingConfig()
    config = RandomPatchingConfig(name="random", patch_size=[16, 16, 16], seed=100)
    assert config == RandomPatchingConfig(patch_size=(16, 16, 16), seed=100)
    with pytest.raises(ValueError, match=r"^name 'tiled' is not that of WholePatchingConfig; use"):
        WholePatchingConfig(name="tiled")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^name None is not that of StratifiedPatchingConfig"):
        StratifiedPatchingConfig(name=None, patch_size=(8, 8))  # type: ignore[arg-type]


def test_sequences_become_tuples_of_int_and_nothing_changes_afterwards() -> None:
    config = TiledPatchingConfig(
        patch_size=np.array([16, 8]), overlaps=[np.int8(4), 2], alignment=np.int64(2)
    )
    assert (config.patch_size, config.overlaps, config.alignment) == ((16, 8), (4, 2), 2)
    assert type(config.alignment) is int
    assert TiledPatchingConfig(patch_size=(8, 8), overlaps=(0, 0), alignment=[4, 2]).alignment == (
        4,
        2,
    )
    assert RandomPatchingConfig(patch_size=[8, 8], seed=np.array([1, 2])).seed == (1, 2)
    assert len({config, TiledPatchingConfig(patch_size=[16, 8], overlaps=(4, 2), alignment=2)}) == 1
    with pytest.raises(FrozenInstanceError):
        config.patch_size = (1, 1)  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        WholePatchingConfig("whole")  # type: ignore[misc]


def test_specs_given_may_change_afterwards() -> None:
    mine = {**PATCH, "coords": [3, 4]}
    config = FixedPatchingConfig(fixed_patch_specs=[mine])  # type: ignore[list-item]
    mine["coords"][0] = 7
    mine["data_idx"] = 9
    assert config.fixed_patch_specs[0]["coords"] == (3, 4)
    assert config.fixed_patch_specs[0]["data_idx"] == 0
    with pytest.raises(ValueError, match=r"^patch spec 1: 'label' is no entry of a patch; leave"):
        FixedPatchingConfig(fixed_patch_specs=[PATCH, {**PATCH, "label": 1}])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"name": "tiled", "patch_size": (64, 64), "overlaps": (57, 4)},
            "overlap Y: 57 is odd: use 56 or 58",
        ),
        (
            {"name": "tiled", "patch_size": (64, 64), "overlaps": (4, 4), "alignment": 3},
            "patch size Y: 64 is no multiple of the alignment 3: use 63 or 66",
        ),
        (
            {"name": "tiled", "patch_size": (8, 64, 64), "overlaps": (4, 4)},
            "overlap (4, 4) has 2 numbers, the image 3 spatial axes: give ZYX",
        ),
        (
            {"name": "sequential", "patch_size": (8, 8), "overlaps": (2, 8)},
            "overlap X: 8 is not less than the patch size 8: use 6 or less, or a larger patch",
        ),
        (
            {"name": "sequential", "patch_size": (8, 8), "overlaps": (-2, 2)},
            "overlap Y: -2 is below 0; use 0 or more",
        ),
        (
            {"name": "random", "patch_size": (8, 0)},
            "patch size X: 0 is below 1; use 1 or more",
        ),
        (
            {"name": "stratified", "patch_size": (8, float("inf"))},
            "patch size X: inf is not a whole number; use 1 or more",
        ),
        ({"name": "fixed_random", "patch_size": 8}, "patch size 8 is no sequence; give one whole"),
        ({"name": "random", "patch_size": (8,)}, "patch size (8,) has 1 numbers: give YX or ZYX"),
        (
            {"name": "random", "patch_size": (8, 8), "seed": -1},
            "seed -1 is below 0; use 0 or more",
        ),
        (
            {"name": "random", "patch_size": (8, 8), "seed": (1, 0.5)},
            "seed 0.5 is not a whole number; use 0 or more",
        ),
        (
            {"name": "stratified", "patch_size": (8, 8), "seed": "now"},
            "seed 'now' is not a whole number; use 0 or more",
        ),
        (
            {"name": "random", "patch_size": (8, 8), "seed": b"ab"},
            "seed b'ab' is not a whole number; use 0 or more",
        ),
        (
            {"name": "random", "patch_size": (8, 8), "seed": {1, 2}},
            "seed {1, 2} is not a whole number; use 0 or more",
        ),
        (
            {"name": "fixed", "fixed_patch_specs": [{"data_idx": 0}]},
            "patch spec 0 has no 'sample_idx'; give data_idx, sample_idx, coords, patch_size",
        ),
        (
            {"name": "tiled", "patch_size": (8, 8)},
            "tiled patching needs 'overlaps'; give it",
        ),
        (
            {"name": "random", "patch_size": (8, 8), "overlap": (2, 2)},
            "random patching has no 'overlap'; it has name, patch_size, seed",
        ),
        ({"name": "whole", 3: 4}, "whole patching has no 3; it has name"),
        (
            {"patch_size": (8, 8)},
            "a patching configuration needs a 'name': one of tiled, whole, random, fixed_random, "
            "stratified, sequential, fixed",
        ),
        (
            {"name": "tile"},
            "name 'tile' is no patching; use one of tiled, whole, random, fixed_random, "
            "stratified, sequential, fixed",
        ),
        ({"name": ["tiled"]}, "name ('tiled',) is no patching; use one of tiled"),
        (["tiled"], "('tiled',) is no patching configuration; give a dict"),
    ],
)
def test_what_is_wrong_is_told_without_any_image(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        patching_config_from_dict(settings)
    assert "\n" not in str(caught.value)
