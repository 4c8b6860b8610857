"""Checks of the pixels: each patch against the same part of the array."""

from __future__ import annotations

import numpy as np

from napari_tessera.testing import patch_choice
from napari_tessera.testing.reference import Patch
from napari_tessera.testing.subject import Subject


def whole_samples(subject: Subject) -> None:
    """Samples are read as a whole (of large ones, as much as is read quickly)."""
    shape = subject.reference.shape
    size = patch_choice.whole_sample(shape)
    near = (0,) * len(size)
    far = tuple(length - n for length, n in zip(shape[2:], size, strict=True))
    for sample in patch_choice.spread(shape[0], 3):
        subject.compare(*((sample, None, coords, size) for coords in sorted({near, far})))


def sample_order(subject: Subject) -> None:
    """S and T are merged S-major; of many samples some are looked at."""
    samples, _, *space = subject.reference.shape
    size = tuple(min(length, 4) for length in space)
    hint = "samples are S-major: S = i // T, T = i % T"
    for sample in patch_choice.spread(samples, 32):
        subject.compare((sample, None, (0,) * len(space), size), hint=hint)


def patches_inside(subject: Subject) -> None:
    """Patches inside the image, of random size and position."""
    rng = patch_choice.generator()
    subject.compare(*patch_choice.inside(subject.reference.shape, 16, rng))


def single_pixels(subject: Subject) -> None:
    """Patches of one pixel, at the corners and anywhere."""
    rng = patch_choice.generator()
    subject.compare(*patch_choice.pixels(subject.reference.shape, 8, rng))


def patches_over_edges(subject: Subject) -> None:
    """Patches over each edge and corner, and wider than the image, are zero beyond it."""
    rng = patch_choice.generator()
    for patch in patch_choice.over_edges(subject.reference.shape, rng):
        subject.compare(patch, hint="pixels outside the image are zero")


def patches_outside(subject: Subject) -> None:
    """Patches beside the image and far from it, on every side, are zero."""
    rng = patch_choice.generator()
    for patch in patch_choice.outside(subject.reference.shape, rng):
        subject.compare(patch, hint="pixels outside the image are zero")


def channel_choice(subject: Subject) -> None:
    """Channels come in the order they are asked for, alone, in part, reordered and repeated."""
    rng = patch_choice.generator()
    shape = subject.reference.shape
    choices = [None, *patch_choice.channel_choices(shape[1], rng)]
    patches = patch_choice.inside(shape, len(choices), rng)
    for channels, (sample, _, coords, size) in zip(choices, patches, strict=True):
        subject.compare((sample, channels, coords, size))
        beyond = tuple(at - 1 for at in coords)
        subject.compare((sample, channels, beyond, size))


def argument_kinds(subject: Subject) -> None:
    """Tuples, lists and arrays, int and NumPy's integers, by position and by name."""
    rng = patch_choice.generator()
    shape = subject.reference.shape
    ((sample, _, coords, size),) = patch_choice.inside(shape, 1, rng)
    coords = [at - 1 for at in coords]
    channels = range(shape[1])
    as_given: list[Patch] = [
        (sample, tuple(channels), tuple(coords), tuple(size)),
        (sample, list(channels), list(coords), list(size)),
        (sample, channels, coords, size),
        (
            np.int64(sample),  # type: ignore[list-item]
            [np.int32(c) for c in channels],  # type: ignore[misc]
            [np.int64(at) for at in coords],  # type: ignore[misc]
            [np.int16(n) for n in size],  # type: ignore[misc]
        ),
        (sample, np.array(channels), np.array(coords), np.array(size)),  # type: ignore[list-item]
    ]
    subject.compare(*as_given)
    try:
        found = subject.stack.extract_patch(
            sample_idx=sample, channels=None, coords=coords, patch_size=size
        )
    except TypeError as error:
        raise subject.failed(
            f"arguments are sample_idx, channels, coords, patch_size: {error}"
        ) from error
    subject.compare_read((sample, None, coords, size), found)
