"""The strategy that a configuration describes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from napari_tessera.patching import (
    FixedPatching,
    FixedPatchingConfig,
    FixedRandomPatching,
    FixedRandomPatchingConfig,
    Patching,
    PatchingConfig,
    RandomPatching,
    RandomPatchingConfig,
    SequentialPatching,
    SequentialPatchingConfig,
    StratifiedPatching,
    StratifiedPatchingConfig,
    TiledPatching,
    TiledPatchingConfig,
    WholePatchingConfig,
    WholeSamplePatching,
    create_patching,
)

from .shapes import specs_of

STACKS = [(2, 1, 32, 40), (1, 3, 24, 33)]
SIZE = (8, 12)
SPECS: list[Any] = [
    {"data_idx": 1, "sample_idx": 0, "coords": (3, 4), "patch_size": (8, 8)},
    {"data_idx": 0, "sample_idx": 1, "coords": (-3, 36), "patch_size": (32, 8)},
]

CASES: list[tuple[PatchingConfig, type, Patching]] = [
    (
        TiledPatchingConfig(patch_size=SIZE, overlaps=(4, 4), alignment=2),
        TiledPatching,
        TiledPatching(STACKS, SIZE, (4, 4), 2),
    ),
    (
        TiledPatchingConfig(patch_size=(48, 48), overlaps=(16, 8), alignment=(4, 8)),
        TiledPatching,
        TiledPatching(STACKS, (48, 48), (16, 8), (4, 8)),
    ),
    (WholePatchingConfig(), WholeSamplePatching, WholeSamplePatching(STACKS)),
    (
        RandomPatchingConfig(patch_size=SIZE, seed=(1, 2)),
        RandomPatching,
        RandomPatching(STACKS, SIZE, [1, 2]),
    ),
    (
        FixedRandomPatchingConfig(patch_size=SIZE, seed=7),
        FixedRandomPatching,
        FixedRandomPatching(STACKS, SIZE, 7),
    ),
    (
        StratifiedPatchingConfig(patch_size=SIZE, seed=7),
        StratifiedPatching,
        StratifiedPatching(STACKS, SIZE, 7),
    ),
    (
        SequentialPatchingConfig(patch_size=SIZE),
        SequentialPatching,
        SequentialPatching(STACKS, SIZE),
    ),
    (
        SequentialPatchingConfig(patch_size=SIZE, overlaps=(2, 6)),
        SequentialPatching,
        SequentialPatching(STACKS, SIZE, (2, 6)),
    ),
    (FixedPatchingConfig(fixed_patch_specs=SPECS), FixedPatching, FixedPatching(SPECS)),
]


@pytest.mark.parametrize(("config", "kind", "expected"), CASES)
def test_the_strategy_is_what_its_constructor_makes(
    config: PatchingConfig, kind: type, expected: Patching
) -> None:
    made = create_patching(data_shapes=STACKS, patching_config=config)
    assert type(made) is kind
    specs = specs_of(made)
    assert specs == specs_of(expected)
    assert specs_of(create_patching(STACKS, config)) == specs  # a second one starts anew
    assert specs_of(create_patching(STACKS, config.to_dict())) == specs


@pytest.mark.parametrize(
    ("stacks", "config", "message"),
    [
        ([], WholePatchingConfig(), "no image stack given; at least one data shape is needed"),
        (
            STACKS,
            RandomPatchingConfig(patch_size=(8, 34)),
            "patch size X: 34 is larger than the image's 33 (image stack 1): use 33 or less",
        ),
        (
            STACKS,
            SequentialPatchingConfig(patch_size=(8, 8, 8)),
            "patch size (8, 8, 8) has 3 numbers, the image 2 spatial axes: give YX",
        ),
        (
            STACKS[:1],
            FixedPatchingConfig(fixed_patch_specs=SPECS),
            "patch spec 0: data_idx 1 is outside 0…0; give the shape of that image stack too",
        ),
        (
            [(1, 1, 32, 40), STACKS[1]],
            FixedPatchingConfig(fixed_patch_specs=SPECS),
            "patch spec 1: sample_idx 1 is outside 0…0 of image stack 0; leave the patch out",
        ),
        (
            [(2, 1, 9, 32, 40), (1, 1, 9, 32, 40)],
            FixedPatchingConfig(fixed_patch_specs=SPECS),
            "patch spec 0: patch size (8, 8) has 2 numbers, image stack 1 3 spatial axes: give ZYX",
        ),
        (
            [STACKS[0], (1, 3, 7, 33)],
            FixedPatchingConfig(fixed_patch_specs=SPECS),
            "patch spec 0: patch size Y: 8 is larger than the image's 7 (image stack 1): use 7",
        ),
        (STACKS, {"name": "tile"}, "name 'tile' is no patching; use one of tiled, whole, random"),
        (STACKS, {}, "a patching configuration needs a 'name': one of tiled"),
        (STACKS, "tiled", "'tiled' is no patching configuration; give a dict"),
        (STACKS, None, "None is no patching configuration; give a dict"),
    ],
)
def test_what_does_not_suit_is_told(stacks: Any, config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        create_patching(stacks, config)


def test_tiles_given_one_by_one_may_be_larger_than_the_image() -> None:
    tiles = specs_of(TiledPatching(STACKS, (48, 48), (16, 16)))
    made = create_patching(STACKS, FixedPatchingConfig(fixed_patch_specs=tiles))
    assert specs_of(made) == tiles
