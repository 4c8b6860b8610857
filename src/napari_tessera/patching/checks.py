"""Checks that every patching strategy makes of its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_int

SPATIAL = {2: "YX", 3: "ZYX"}
"""Letters of the spatial axes by their number."""


def check_data_shapes(data_shapes: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Check image stack shapes and give them as tuples of int.

    Parameters
    ----------
    data_shapes : sequence of sequence of int
        ``SC(Z)YX`` each, all with the same number of axes.

    Raises
    ------
    ValueError
        If there is none, one is not ``SC(Z)YX``, they differ in length, or an axis is empty.
    """
    shapes = tuple(tuple(_int("data shape", size) for size in shape) for shape in data_shapes)
    if not shapes:
        raise ValueError("no image stack given; at least one data shape is needed")
    for shape in shapes:
        if len(shape) not in (4, 5):
            raise ValueError(f"data shape {shape} has {len(shape)} axes; SCYX or SCZYX needed")
        if len(shape) != len(shapes[0]):
            raise ValueError(f"data shapes {shapes[0]} and {shape} differ in their number of axes")
        if min(shape) < 1:
            raise ValueError(f"data shape {shape} has an empty axis; every axis needs at least 1")
    return shapes


def check_sizes(
    name: str, sizes: Sequence[int], n_spatial: int, *, minimum: int
) -> tuple[int, ...]:
    """Check that there is one whole number ≥ ``minimum`` per spatial axis.

    Raises
    ------
    ValueError
        Naming the axis and the value.
    """
    letters = SPATIAL[n_spatial]
    given = tuple(_int(name, size) for size in sizes)
    if len(given) != n_spatial:
        raise ValueError(
            f"{name} {given} has {len(given)} numbers, the image {n_spatial} spatial axes: "
            f"give {letters}"
        )
    for letter, size in zip(letters, given, strict=True):
        if size < minimum:
            raise ValueError(f"{name} {letter}: {size} is below {minimum}; use {minimum} or more")
    return given


def check_overlaps(overlaps: Sequence[int], patch_size: Sequence[int]) -> tuple[int, ...]:
    """Check that overlaps are even, not negative, and less than the patch.

    Raises
    ------
    ValueError
        Naming the axis, the value and the nearest values that would do.
    """
    given = check_sizes("overlap", overlaps, len(patch_size), minimum=0)
    for letter, overlap, patch in zip(SPATIAL[len(patch_size)], given, patch_size, strict=True):
        if overlap % 2:
            raise ValueError(
                f"overlap {letter}: {overlap} is odd: use {overlap - 1} or {overlap + 1}"
            )
        if overlap >= patch:
            raise ValueError(
                f"overlap {letter}: {overlap} is not less than the patch size {patch}: use "
                f"{max(0, patch - 1) // 2 * 2} or less, or a larger patch"
            )
    return given


def _int(name: str, value: int) -> int:
    try:
        return as_int(value)
    except TypeError:
        raise ValueError(f"{name} {value!r} is not a whole number") from None
