"""Checks that every patching strategy makes of its arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from math import inf, lcm
from operator import index as as_int
from typing import TypeVar

import numpy as np

SPATIAL = {2: "YX", 3: "ZYX"}
"""Letters of the spatial axes by their number."""
_LONGEST = 100

_Item = TypeVar("_Item")


def check_data_shapes(data_shapes: Iterable[Iterable[int]]) -> tuple[tuple[int, ...], ...]:
    """Check image stack shapes and give them as tuples of int.

    Parameters
    ----------
    data_shapes : iterable of iterable of int
        ``SC(Z)YX`` each, all with the same number of axes.

    Raises
    ------
    ValueError
        If there is none, one is not ``SC(Z)YX``, they differ in length, or an axis is empty.
    """
    given = listed("data shapes", data_shapes, "a list of SC(Z)YX shapes")
    if not given:
        raise ValueError("no image stack given; at least one data shape is needed")
    shapes = tuple(_data_shape(i, shape) for i, shape in enumerate(given))
    for i, shape in enumerate(shapes):
        if len(shape) != len(shapes[0]):
            raise ValueError(
                f"data shapes {shapes[0]} and {shape} (image stacks 0 and {i}) differ in their "
                f"number of axes; use one patching for 2D stacks and another for 3D stacks"
            )
    return shapes


def check_sizes(
    name: str, sizes: Iterable[int], n_spatial: int, *, minimum: int | None
) -> tuple[int, ...]:
    """Check that there is one whole number ≥ ``minimum`` (None: any) per spatial axis.

    Raises
    ------
    ValueError
        Naming the axis and the value.
    """
    letters = SPATIAL[n_spatial]
    given = listed(name, sizes, f"one whole number per axis, {letters}")
    if len(given) != n_spatial:
        raise ValueError(
            f"{name} {shown(given)} has {len(given)} numbers, the image {n_spatial} spatial axes: "
            f"give {letters}"
        )
    return tuple(
        check_number(f"{name} {letter}:", size, minimum=minimum)
        for letter, size in zip(letters, given, strict=True)
    )


def check_patch_size(patch_size: Iterable[int]) -> tuple[int, ...]:
    """Check a patch size where no image tells its number of axes: YX or ZYX, each at least 1.

    Raises
    ------
    ValueError
        Naming the axis and the value.
    """
    given = listed("patch size", patch_size, "one whole number per axis, YX or ZYX")
    if len(given) not in SPATIAL:
        raise ValueError(f"patch size {shown(given)} has {len(given)} numbers: give YX or ZYX")
    return check_sizes("patch size", given, len(given), minimum=1)


def check_overlaps(
    overlaps: Iterable[int], patch_size: Sequence[int], alignment: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Check that overlaps are even, not negative, less than the patch, and aligned.

    Parameters
    ----------
    overlaps : iterable of int
        In (Z)YX.
    patch_size : sequence of int
        Checked before.
    alignment : sequence of int, optional
        What overlaps must be multiples of, checked before; None (default) is 1 for every axis.

    Raises
    ------
    ValueError
        Naming the axis, the value and the nearest values that would do.
    """
    given = check_sizes("overlap", overlaps, len(patch_size), minimum=0)
    for letter, overlap, patch, k in zip(
        SPATIAL[len(patch_size)], given, patch_size, alignment or (1,) * len(given), strict=True
    ):
        step = lcm(2, k)
        if overlap >= patch:
            largest = (patch - 1) // step * step
            raise ValueError(
                f"overlap {letter}: {overlap} is not less than the patch size {patch}: use "
                f"{_or_less(largest)}, or a larger patch"
            )
        if overlap % step:
            below = overlap // step * step
            wrong = f"is no multiple of the alignment {k}" if overlap % k else "is odd"
            near = _either(below, below + step, below=patch)
            raise ValueError(f"overlap {letter}: {overlap} {wrong}: use {near}")
    return given


def check_alignment(
    alignment: int | Iterable[int], patch_size: Sequence[int], overlaps: Iterable[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Check that patch sizes and overlaps are multiples of the alignment, and the overlaps at all.

    Parameters
    ----------
    alignment : int or iterable of int
        One number for all axes, or one per axis.
    patch_size : sequence of int
        Checked before.
    overlaps : iterable of int
        In (Z)YX; see `check_overlaps`.

    Returns
    -------
    overlaps, alignment : tuple of int
        One number per axis each.

    Raises
    ------
    ValueError
        Naming the axis, the value and the nearest that would do.
    """
    n_spatial = len(patch_size)
    try:
        iter(alignment)  # type: ignore[arg-type]
    except TypeError:
        steps: Iterable[int] = [alignment] * n_spatial  # type: ignore[list-item]
    else:
        steps = alignment  # type: ignore[assignment]
    checked = check_sizes("alignment", steps, n_spatial, minimum=1)
    letters = SPATIAL[n_spatial]
    sizes = check_sizes("overlap", overlaps, n_spatial, minimum=0)
    for letter, patch, overlap, k in zip(letters, patch_size, sizes, checked, strict=True):
        if patch % k:
            # A patch that is cut down must not come below an overlap that is right otherwise.
            least = max(1, overlap + 1 if overlap < patch else 1)
            near = _either(patch // k * k, (patch // k + 1) * k, minimum=least)
            raise ValueError(
                f"patch size {letter}: {patch} is no multiple of the alignment {k}: use {near}"
            )
    return check_overlaps(sizes, patch_size, checked), checked


def check_patch_fits(patch_size: Sequence[int], data_shapes: Sequence[Sequence[int]]) -> None:
    """Check that no image is smaller than the patch; both are checked before.

    Raises
    ------
    ValueError
        Naming the axis, the image stack, both sizes, and what would do.
    """
    for data_idx, shape in enumerate(data_shapes):
        check_patch_in_stack(patch_size, shape, data_idx)


def check_patch_in_stack(patch_size: Sequence[int], shape: Sequence[int], data_idx: int) -> None:
    """Check that the images of one stack are not smaller than the patch, as `check_patch_fits`."""
    for letter, patch, size in zip(SPATIAL[len(patch_size)], patch_size, shape[2:], strict=True):
        if patch > size:
            raise ValueError(
                f"patch size {letter}: {patch} is larger than the image's {size} (image stack "
                f"{data_idx}): use {_or_less(size)}, leave that image out, or use TiledPatching, "
                f"whose tiles may be larger than the image"
            )


def check_number(name: str, value: object, *, minimum: int | None = None) -> int:
    """Check that a value is a whole number, at least ``minimum``, and give it as an int.

    Numbers of NumPy pass; bool, float (nan and infinity too) and text do not.

    Raises
    ------
    ValueError
        Naming ``name`` and the value.
    """
    try:
        if isinstance(value, bool | np.bool):
            raise TypeError
        number = as_int(value)  # type: ignore[arg-type]
    except TypeError:
        wanted = "one" if minimum is None else f"{minimum} or more"
        raise ValueError(f"{name} {shown(value)} is not a whole number; use {wanted}") from None
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} {number} is below {minimum}; use {minimum} or more")
    return number


def listed(name: str, values: Iterable[_Item], wanted: str) -> list[_Item]:
    """The values of any iterable that has an order, but text, as a list.

    Raises
    ------
    ValueError
        Naming ``name``, the value and what is ``wanted`` instead.
    """
    try:
        if isinstance(values, str | bytes | Set | Mapping):
            raise TypeError
        return list(values)
    except TypeError:
        raise ValueError(f"{name} {shown(values)} is no sequence; give {wanted}") from None


def shown(value: object) -> str:
    """A value as one line of text, numbers of NumPy like those of Python."""
    if isinstance(value, tuple | list):
        inside = ", ".join(shown(item) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, np.generic):
        value = value.item()
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _data_shape(i: int, shape: Iterable[int]) -> tuple[int, ...]:
    sizes = listed(f"data shape of image stack {i},", shape, "SCYX or SCZYX")
    if len(sizes) not in (4, 5):
        raise ValueError(
            f"data shape {shown(sizes)} (image stack {i}) has {len(sizes)} axes; give SCYX or SCZYX"
        )
    letters = "SC" + SPATIAL[len(sizes) - 2]
    return tuple(
        check_number(f"data shape of image stack {i}, {letter}:", size, minimum=1)
        for letter, size in zip(letters, sizes, strict=True)
    )


def _or_less(value: int) -> str:
    return f"{value} or less" if value else "0"


def _either(*values: int, minimum: int = 0, below: float = inf) -> str:
    return " or ".join(str(value) for value in values if minimum <= value < below)
