"""Checks of how a stack reads: what it hands out, what it keeps, who may read, what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.testing import patch_choice
from napari_tessera.testing.reference import Patch
from napari_tessera.testing.subject import Subject

_READERS = 4


def result_kind(subject: Subject) -> None:
    """A patch is a plain NumPy array of the stack's dtype: native, C-contiguous, writeable."""
    for patch in _some_patches(subject):
        subject.require_plain(patch, subject.read(patch))


def own_memory(subject: Subject) -> None:
    """A patch is the caller's own: writing to it changes neither the image nor a later patch."""
    for patch in _some_patches(subject):
        first, second = subject.read(patch), subject.read(patch)
        subject.require(not np.may_share_memory(first, second), "gave the same memory twice", patch)
        # asked before anything is written: the array is the caller's
        subject.require_copy(patch, first)
        if first.flags.writeable:
            first[...] = first == 0  # another value for every pixel
        subject.compare(patch, hint="after another result was written to; return a copy")


def no_side_effects(subject: Subject) -> None:
    """The same patch twice is the same; attributes and arguments stay as they are."""
    source = subject.stack.source
    for sample, channels, coords, size in _some_patches(subject):
        given = [None if channels is None else list(channels), list(coords), list(size)]
        passed: list[Any] = [None if values is None else list(values) for values in given]
        patch: Patch = (sample, passed[0], passed[1], passed[2])
        first = subject.read(patch).copy()
        subject.require(passed == given, f"changed its arguments, which were {given}", patch)
        second = subject.read(patch)
        subject.require(first.tobytes() == second.tobytes(), "differs when read again", patch)
    stack, reference = subject.stack, subject.reference
    for name, before, after in (
        ("source", source, stack.source),
        ("data_shape", reference.shape, tuple(stack.data_shape)),
        ("original_data_shape", tuple(reference.array.shape), tuple(stack.original_data_shape)),
        ("data_dtype", reference.dtype, stack.data_dtype),
        ("original_axes", reference.axes, stack.original_axes),
    ):
        subject.require(after == before, f"{name} was {before!r} and is {after!r} after reading")


def concurrent_reads(subject: Subject) -> None:
    """Several threads read at once, different patches and the same."""
    rng = patch_choice.generator()
    shape = subject.reference.shape
    patches = [*patch_choice.inside(shape, 6, rng), *patch_choice.over_edges(shape, rng)][:10]
    start = Barrier(_READERS)

    def read_all(number: int) -> list[tuple[Patch, NDArray[np.generic]]]:
        shift = number * len(patches) // _READERS
        start.wait()
        return [(patch, subject.read(patch)) for patch in patches[shift:] + patches[:shift]]

    with _frequent_switches(), ThreadPoolExecutor(_READERS) as threads:
        found = list(threads.map(read_all, range(_READERS)))
    for patch, block in (item for items in found for item in items):
        subject.compare_read(patch, block, hint=f"while {_READERS} threads read")


def refused_samples(subject: Subject) -> None:
    """A sample outside the image is an IndexError, negative ones too."""
    samples, _, *space = subject.reference.shape
    origin, one = (0,) * len(space), (1,) * len(space)
    outside = (-1, samples, -samples - 1)
    subject.refused(
        IndexError,
        f"samples are 0…{samples - 1}",
        [(sample, None, origin, one) for sample in outside],
    )


def refused_channels(subject: Subject) -> None:
    """A channel outside the image is an IndexError, negative ones too, also among others."""
    _, channels, *space = subject.reference.shape
    origin, one = (0,) * len(space), (1,) * len(space)
    choices = ([-1], [channels], [0, -1], [channels, 0])
    subject.refused(
        IndexError,
        f"channels are 0…{channels - 1}",
        [(0, choice, origin, one) for choice in choices],
    )


def refused_sizes(subject: Subject) -> None:
    """Coords and sizes of a wrong length, and sizes below 1, are a ValueError."""
    spatial = subject.reference.spatial
    origin, one = (0,) * len(spatial), (1,) * len(spatial)
    subject.refused(
        ValueError,
        f"coords and patch_size have one number for each of {spatial}",
        [
            (0, None, (*origin, 0), (*one, 1)),
            (0, None, origin[1:], one[1:]),
            (0, None, origin, (*one, 1)),
            (0, None, (*origin, 0), one),
        ],
    )
    subject.refused(
        ValueError,
        "every size is at least 1",
        [
            (0, None, origin, (*one[:at], size, *one[at + 1 :]))
            for at in range(len(one))
            for size in (0, -1)
        ],
    )


def _some_patches(subject: Subject) -> list[Patch]:
    """A patch inside, one over an edge, one outside, one whole, one of chosen channels."""
    rng = patch_choice.generator()
    shape = subject.reference.shape
    ((sample, _, coords, size),) = patch_choice.inside(shape, 1, rng)
    backwards = tuple(reversed(patch_choice.spread(shape[1], 4)))
    origin = (0,) * len(size)
    return [
        (sample, None, coords, size),
        (sample, backwards, coords, size),
        (sample, None, tuple(at - 2 for at in origin), tuple(n + 2 for n in size)),
        (sample, None, tuple(-n for n in size), size),
        (sample, None, origin, patch_choice.whole_sample(shape)),
    ]


@contextmanager
def _frequent_switches() -> Iterator[None]:
    """Let threads take turns more often than is usual, so that what they share shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
