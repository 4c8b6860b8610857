"""Whether an image has room for patches, and which ones it has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings


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
