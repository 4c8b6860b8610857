"""Tile size and overlap that suit a model and an image, where people leave them to us."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index as as_int
from typing import TYPE_CHECKING, Literal, TypeGuard

import numpy as np

from napari_tessera.prediction.auto_tiles import TileLimits, automatic_tile
from napari_tessera.prediction.plan import PlanError

if TYPE_CHECKING:
    from napari_tessera.models import ModelGeometry

Sizes = Literal["auto"] | int | Sequence[int]
"""``"auto"``, one number for every spatial axis, or one for each, in (Z)YX."""

LEAST_CORE = 4
"""An automatic overlap leaves one part in so many of the largest tile as its core, at least."""


def resolve_overlaps(
    wanted: Sizes,
    letters: str,
    spatial: Sequence[int],
    geometry: ModelGeometry,
    patch_size: Sizes,
    edges: Sequence[int],
) -> tuple[int, ...]:
    """Total overlap along each axis, in pixels.

    Automatic: twice the reach rounded up to the period, so that both neighbours see all that
    their core depends on and starts stay on multiples of the period. A global model, for which
    no overlap is enough, gets a quarter of the tile. Where the largest tile that a model takes
    leaves hardly any core beside that overlap, the overlap is half of the tile.

    Parameters
    ----------
    wanted, patch_size : "auto", int or sequence of int
        What was asked for.
    letters : str
        Spatial axes, ``"YX"`` or ``"ZYX"``.
    spatial : sequence of int
        Size of the image along them, in pixels.
    geometry : ModelGeometry
        Reach, period and valid sizes of the model.
    edges : sequence of int
        Largest edges of an automatic tile.
    """
    if not is_auto(wanted):
        return sizes_per_axis(wanted, letters, "overlaps")
    given = None if is_auto(patch_size) else sizes_per_axis(patch_size, letters, "patch_size")
    automatic = []
    for i, (size, k) in enumerate(zip(spatial, geometry.period, strict=True)):
        most = geometry.largest_tile[i]
        edge = given[i] if given else edges[i] if most is None else min(edges[i], most)
        if given and edge >= size:
            automatic.append(0)  # one tile covers the axis
        elif geometry.reach is None:
            automatic.append(_even_multiple(edge // 4, k))
        else:
            exact = 2 * _up(geometry.reach[i], k)
            free = given is None or geometry.sizes.step[i] == 0
            tight = free and most is not None and most - exact < most // LEAST_CORE
            automatic.append(_even_multiple(most // 2, k) if tight and most else exact)
    return tuple(automatic)


def resolve_patch_size(
    wanted: Sizes,
    letters: str,
    spatial: Sequence[int],
    overlaps: Sequence[int],
    geometry: ModelGeometry,
    limits: TileLimits,
) -> tuple[int, ...]:
    """Tile size along each axis, in pixels; the automatic one is that of `automatic_tile`."""
    if is_auto(wanted):
        tile = automatic_tile(
            spatial, overlaps, geometry, limits.edges, limits.pixels, limits.swift_pixels
        )
        # One tile along an axis may be smaller than the overlap; `cut_to_image` sees to both.
        return tuple(
            max(edge, overlap + k)
            for edge, overlap, k in zip(tile, overlaps, geometry.period, strict=True)
        )
    return sizes_per_axis(wanted, letters, "patch_size")


def is_auto(wanted: object) -> TypeGuard[Literal["auto"]]:
    """Whether a setting is left to us."""
    return isinstance(wanted, str) and wanted == "auto"


def whole_number(wanted: object, field: str) -> int:
    """A setting as an int; numbers of NumPy pass, bool, float and text do not.

    Raises
    ------
    PlanError
        Naming the setting and the value.
    """
    try:
        if isinstance(wanted, bool | np.bool_):
            raise TypeError
        return as_int(wanted)  # type: ignore[arg-type]
    except TypeError:
        name = field.replace("_", " ")
        raise PlanError(f"{name} {wanted!r} is not a whole number", field) from None


def sizes_per_axis(wanted: object, letters: str, field: str) -> tuple[int, ...]:
    """One number per spatial axis, out of one for all or one for each.

    Raises
    ------
    PlanError
        If they are no whole numbers, or their number is not that of the axes.
    """
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        return (whole_number(wanted, field),) * len(letters)
    sizes = tuple(whole_number(size, field) for size in wanted)
    if len(sizes) != len(letters):
        name = field.replace("_", " ")
        raise PlanError(
            f"{name} {','.join(map(str, sizes))} has {len(sizes)} numbers, tiles have "
            f"{len(letters)} axes: give {letters}",
            field,
        )
    return sizes


def check_room(
    patch_size: Sequence[int],
    overlaps: Sequence[int],
    letters: str,
    spatial: Sequence[int],
    period: Sequence[int],
) -> None:
    """Raise PlanError where a tile size that was asked for is no larger than the overlap needed."""
    for letter, patch, overlap, size, k in zip(
        letters, patch_size, overlaps, spatial, period, strict=True
    ):
        if 1 <= patch <= overlap and patch < _up(size, k):
            raise PlanError(
                f"patch size {letter}: {patch} is not more than the overlap {overlap} that the "
                f"model needs: use {overlap + k} or more, or set the overlap",
                "patch_size",
            )


def check_fixed(
    patch_size: Sequence[int], letters: str, spatial: Sequence[int], geometry: ModelGeometry
) -> None:
    """Raise PlanError where a model takes one size only, and tiles of another would be many.

    Each of these would be padded to that size by reflection: many times the work, and other pixels
    at the image's far ends than with any other tile size. Where one tile covers an axis, it is cut
    to the image (`cut_to_image`), whatever was asked for, and padded just once.
    """
    for letter, patch, size, step, most, k in zip(
        letters,
        patch_size,
        spatial,
        geometry.sizes.step,
        geometry.largest_tile,
        geometry.period,
        strict=True,
    ):
        if step or most is None:
            continue
        only = most // k * k
        if patch != only and not _up(size, k) <= min(patch, only):
            raise PlanError(
                f"patch size {letter}: {patch}: the model takes {only} px only: use {only}, or "
                "leave it to auto",
                "patch_size",
            )


def check_largest(patch_size: Sequence[int], letters: str, geometry: ModelGeometry) -> None:
    """Raise PlanError where a tile is larger than the model takes."""
    for letter, patch, most, k in zip(
        letters, patch_size, geometry.largest_tile, geometry.period, strict=True
    ):
        if most is not None and patch > most:
            raise PlanError(
                f"patch size {letter}: {patch} is more than the {most} that the model takes: use "
                f"{most // k * k} or less, with an overlap below it",
                "patch_size",
            )


def cut_to_image(
    patch_size: Sequence[int],
    overlaps: Sequence[int],
    spatial: Sequence[int],
    period: Sequence[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tile size and overlap where an axis that one tile covers is not padded beyond its need.

    Such an axis gets a tile of its own size, rounded up to the period, and no overlap: it then
    sees the very edges that the whole image has.
    """
    patches, cut = [], []
    for patch, overlap, size, k in zip(patch_size, overlaps, spatial, period, strict=True):
        covered = patch >= _up(size, k)
        patches.append(_up(size, k) if covered else patch)
        cut.append(0 if covered else overlap)
    return tuple(patches), tuple(cut)


def _up(size: int, k: int) -> int:
    return -(-size // k) * k


def _even_multiple(size: int, k: int) -> int:
    step = k if k % 2 == 0 else 2 * k
    return size // step * step
