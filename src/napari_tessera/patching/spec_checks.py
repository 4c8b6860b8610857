"""Checks of patch specifications that come from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from napari_tessera.patching.checks import (
    SPATIAL,
    check_number,
    check_patch_size,
    check_sizes,
    listed,
    shown,
)
from napari_tessera.patching.types import PatchSpecs, TileSpecs

PATCH_KEYS = ("data_idx", "sample_idx", "coords", "patch_size")
"""What a patch specification has."""
TILE_KEYS = ("crop_coords", "crop_size", "stitch_coords", "total_tiles")
"""What that of a tile has besides."""


def check_patch_specs(specs: Iterable[PatchSpecs | TileSpecs]) -> tuple[PatchSpecs, ...]:
    """Check patch specifications and give copies of them in plain Python numbers and tuples.

    Parameters
    ----------
    specs : iterable of PatchSpecs or TileSpecs
        All with the same number of spatial axes. Coordinates may be negative: image stacks are
        zero-padded outside. Entries under other keys are handed on as they are.

    Raises
    ------
    ValueError
        Naming the specification, the axis and the value.
    """
    try:
        given = list(specs)
    except TypeError:
        raise ValueError(
            f"patch specs {shown(specs)} are no sequence; give a list of dicts"
        ) from None
    checked = tuple(_patch_spec(f"patch spec {i}", spec) for i, spec in enumerate(given))
    for i, spec in enumerate(checked):
        n_spatial, first = len(spec["patch_size"]), len(checked[0]["patch_size"])
        if n_spatial != first:
            raise ValueError(
                f"patch spec {i} has {n_spatial} spatial axes, patch spec 0 has {first}; use one "
                f"patching for 2D and another for 3D"
            )
    return checked


def _patch_spec(name: str, spec: object) -> PatchSpecs:
    if not isinstance(spec, Mapping):
        raise ValueError(f"{name}: {shown(spec)} is no dict; give {', '.join(PATCH_KEYS)}")
    is_tile = any(key in spec for key in TILE_KEYS)
    needed = PATCH_KEYS + TILE_KEYS if is_tile else PATCH_KEYS
    for key in needed:
        if key not in spec:
            raise ValueError(f"{name} has no {key!r}; give {', '.join(needed)}")
    checked: dict[str, Any] = dict(spec)
    for key in ("data_idx", "sample_idx"):
        checked[key] = check_number(f"{name}: {key}", spec[key], minimum=0)
    try:
        checked["patch_size"] = check_patch_size(spec["patch_size"])
        checked["coords"] = _per_axis(spec, "coords", checked["patch_size"], minimum=None)
        if is_tile:
            checked.update(_core(spec, checked["patch_size"]))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return cast(PatchSpecs, checked)


def _core(spec: Mapping[str, Any], patch_size: tuple[int, ...]) -> dict[str, Any]:
    crop_coords = _per_axis(spec, "crop_coords", patch_size, minimum=0)
    crop_size = _per_axis(spec, "crop_size", patch_size, minimum=1)
    for letter, start, size, patch in zip(
        SPATIAL[len(patch_size)], crop_coords, crop_size, patch_size, strict=True
    ):
        if start + size > patch:
            raise ValueError(
                f"crop {letter}: {start}…{start + size} ends beyond the patch size {patch}; the "
                f"core must lie inside the tile"
            )
    return {
        "crop_coords": crop_coords,
        "crop_size": crop_size,
        "stitch_coords": _per_axis(spec, "stitch_coords", patch_size, minimum=0),
        "total_tiles": check_number("total_tiles", spec["total_tiles"], minimum=1),
    }


def _per_axis(
    spec: Mapping[str, Any], key: str, patch_size: tuple[int, ...], *, minimum: int | None
) -> tuple[int, ...]:
    n_spatial = len(patch_size)
    given = listed(key, spec[key], f"one whole number per axis, {SPATIAL[n_spatial]}")
    if len(given) != n_spatial:
        raise ValueError(
            f"{key} {shown(given)} has {len(given)} numbers, patch_size {patch_size} has "
            f"{n_spatial}: give {SPATIAL[n_spatial]}"
        )
    return check_sizes(key, given, n_spatial, minimum=minimum)
