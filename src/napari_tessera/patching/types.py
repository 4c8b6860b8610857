"""Specifications of patches and tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, TypeGuard


class PatchSpecs(TypedDict):
    """Where a patch lies; space is (Z)YX in pixels."""

    data_idx: int
    """Index of the image stack."""
    sample_idx: int
    """Sample in that stack (S and T merged)."""
    coords: Sequence[int]
    """Start of the patch."""
    patch_size: Sequence[int]
    """Size of the patch."""


class TileSpecs(PatchSpecs):
    """A patch that is a tile: with the core that is kept of its prediction."""

    crop_coords: Sequence[int]
    """Start of the core inside the tile."""
    crop_size: Sequence[int]
    """Size of the core."""
    stitch_coords: Sequence[int]
    """Start of the core in the image."""
    total_tiles: int
    """Number of tiles scheduled of this image stack, over all its samples."""


def is_tile_specs(specs: PatchSpecs | TileSpecs) -> TypeGuard[TileSpecs]:
    """Whether patch specifications are those of a tile."""
    return TileSpecs.__required_keys__ <= set(specs)
