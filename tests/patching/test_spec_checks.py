"""Patch specifications that are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from napari_tessera.patching import FixedPatching

PATCH: dict[str, Any] = {"data_idx": 0, "sample_idx": 0, "coords": (1, 2), "patch_size": (4, 3)}
TILE: dict[str, Any] = {
    **PATCH,
    "crop_coords": (1, 1),
    "crop_size": (3, 2),
    "stitch_coords": (2, 3),
    "total_tiles": 9,
}
KEYS = "data_idx, sample_idx, coords, patch_size"


def without(spec: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name != key}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        *((without(PATCH, key), f"patch spec 1 has no {key!r}; give {KEYS}") for key in PATCH),
        (
            without(TILE, "crop_size"),
            f"patch spec 1 has no 'crop_size'; give {KEYS}, crop_coords, crop_size, "
            "stitch_coords, total_tiles",
        ),
        (5, f"patch spec 1: 5 is no dict; give {KEYS}"),
        ({**PATCH, "data_idx": -1}, "patch spec 1: data_idx -1 is below 0; use 0 or more"),
        ({**PATCH, "sample_idx": -2}, "patch spec 1: sample_idx -2 is below 0; use 0 or more"),
        ({**PATCH, "sample_idx": 0.5}, "patch spec 1: sample_idx 0.5 is not a whole number; use 0"),
        ({**PATCH, "data_idx": True}, "patch spec 1: data_idx True is not a whole number; use 0"),
        (
            {**PATCH, "coords": (1, 2, 3)},
            "patch spec 1: coords (1, 2, 3) has 3 numbers, patch_size (4, 3) has 2: give YX",
        ),
        (
            {**PATCH, "coords": (1, float("nan"))},
            "patch spec 1: coords X: nan is not a whole number; use one",
        ),
        ({**PATCH, "coords": 1}, "patch spec 1: coords 1 is no sequence; give one whole number"),
        ({**PATCH, "patch_size": (4, 0)}, "patch spec 1: patch size X: 0 is below 1; use 1 or"),
        ({**PATCH, "patch_size": (4, 3.5)}, "patch spec 1: patch size X: 3.5 is not a whole"),
        ({**PATCH, "patch_size": (4,)}, "patch spec 1: patch size (4,) has 1 numbers: give YX or"),
        (
            {**PATCH, "coords": (0, 0, 0), "patch_size": (4, 4, 4)},
            "patch spec 1 has 3 spatial axes, patch spec 0 has 2; use one patching for 2D and",
        ),
        ({**TILE, "crop_coords": (-1, 1)}, "patch spec 1: crop_coords Y: -1 is below 0; use 0"),
        ({**TILE, "crop_size": (3, 0)}, "patch spec 1: crop_size X: 0 is below 1; use 1 or more"),
        (
            {**TILE, "crop_size": (3, 3)},
            "patch spec 1: crop X: 1…4 ends beyond the patch size 3; the core must lie inside",
        ),
        ({**TILE, "stitch_coords": (0, -5)}, "patch spec 1: stitch_coords X: -5 is below 0; use"),
        ({**TILE, "total_tiles": 0}, "patch spec 1: total_tiles 0 is below 1; use 1 or more"),
    ],
)
def test_a_wrong_specification_is_told_in_one_line(spec: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        FixedPatching([PATCH, spec])
    assert "\n" not in str(caught.value)


def test_what_is_no_sequence_is_told() -> None:
    with pytest.raises(ValueError, match=r"^patch specs 3 are no sequence; give a list of dicts$"):
        FixedPatching(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^patch spec 0: 'data_idx' is no dict"):
        FixedPatching(PATCH)  # type: ignore[arg-type]
