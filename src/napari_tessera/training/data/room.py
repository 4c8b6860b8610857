"""Whether an image has room for patches, and which ones it has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from napari_tessera.stacks import ImageStack
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings

LEAST_SIDE = 16
"""Pixels along Y and X: in fewer there is no window that Noise2Void takes neighbours from (11), and
hardly a patch beside what is held out."""


def check_sides(stack: ImageStack) -> None:
    """Raise where an image is so small that nothing can be learned from it, whatever is asked for.

    Raises
    ------
    TrainingError
        Naming its size, and the least one.
    """
    height, width = stack.data_shape[-2:]
    if min(height, width) < LEAST_SIDE:
        raise TrainingError(
            f"the image has {_times((height, width))} pixels, and training needs {LEAST_SIDE} or "
            "more along Y and X; train on a larger image",
            "image",
        )


def check_room(
    settings: TrainingSettings, data_shape: Sequence[int], *, whole_samples: bool
) -> None:
    """Raise where a patch does not fit into an image, or none beside what is held out.

    Parameters
    ----------
    settings : TrainingSettings
        With a patch size.
    data_shape : sequence of int
        SC(Z)YX of the image, folded.
    whole_samples : bool
        Whether what is held out is whole planes, time points or samples.

    Raises
    ------
    TrainingError
        Naming a patch that can be trained with, where there is one.
    """
    patch, space = settings.patch_size, tuple(data_shape[2:])
    assert patch is not None
    in_box = bool(settings.validation_percent) and not whole_samples
    if _has_room(space, patch, in_box):
        return
    largest = _largest(settings, data_shape, whole_samples)
    alone = "" if largest is None else f"use a patch of {_times(largest)} or less"
    for letter, size, p in zip("ZYX"[-len(patch) :], space, patch, strict=True):
        if p > size:
            if largest is None:
                smallest = _times([settings.period] * len(patch))
                alone = f"use a patch of {smallest} and validation percent 0, or a larger image"
            raise TrainingError(
                f"the image has {size} pixels along {letter}, fewer than one patch of "
                f"{_times(patch)}; {alone}",
                "patch_size",
            )
    raise TrainingError(
        f"the image has {_times(space)} pixels: with patches of {_times(patch)} nothing is left "
        f"to train on beside a part for validation; {alone or 'use a larger image'}, or "
        "validation percent 0",
        "patch_size",
    )


def _has_room(space: Sequence[int], patch: Sequence[int], in_box: bool) -> bool:
    """Whether a patch fits, and a second one beside it where a box is held out."""
    return prod(size // p for size, p in zip(space, patch, strict=True)) >= 1 + in_box


def _largest(
    settings: TrainingSettings, data_shape: Sequence[int], whole_samples: bool
) -> tuple[int, ...] | None:
    """A patch as large as by default that there is room for; None where there is no such."""
    space, period = data_shape[2:], settings.period
    usual = replace(settings, patch_size=None).resolved(data_shape, whole_samples=whole_samples)
    patch = usual.patch_size
    assert patch is not None
    flat = (max(period, space[0] // 2 // period * period), *patch[1:])
    in_box = bool(settings.validation_percent) and not whole_samples
    return next((one for one in (patch, flat) if _has_room(space, one, in_box)), None)


def _times(sizes: Sequence[int]) -> str:
    return " × ".join(map(str, sizes))
