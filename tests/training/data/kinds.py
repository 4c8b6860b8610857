"""Images for the tests of a training's data, and stacks that say what is read of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.stacks import ArrayStack
from napari_tessera.training.data.training_data import TrainingData
from napari_tessera.training.settings import TrainingSettings

MEMORY, STREAMED = 2**30, 0
"""Limits below which images are held in memory: all of them, and none."""


class Recording(ArrayStack):
    """A stack that keeps in mind what was read of it: sample, start and size."""

    reads: list[tuple[int, tuple[int, ...], tuple[int, ...]]]

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[np.generic]:
        """Read one patch, and keep in mind which."""
        self.__dict__.setdefault("reads", []).append((sample_idx, tuple(coords), tuple(patch_size)))
        return super().extract_patch(sample_idx, channels, coords, patch_size)

    def counts(self) -> NDArray[np.int64]:
        """How often each pixel was read: S(Z)YX."""
        counts = np.zeros((self.data_shape[0], *self.data_shape[2:]), np.int64)
        for sample, coords, size in self.reads:
            box = tuple(slice(at, at + n) for at, n in zip(coords, size, strict=True))
            counts[(sample, *box)] += 1
        return counts


def numbered(shape: Sequence[int], dtype: Any = np.float32) -> NDArray[Any]:
    """An image in which each pixel's value says which one it is."""
    return np.arange(prod(shape)).reshape(shape).astype(dtype)


def noise(shape: Sequence[int], seed: int = 0) -> NDArray[np.uint16]:
    """Poisson noise around 20."""
    return np.random.default_rng(seed).poisson(20, shape).astype(np.uint16)


def settings(**given: Any) -> TrainingSettings:
    """Settings with small patches: even sizes are allowed."""
    return TrainingSettings(**{"depth": 1, **given})


def prepared(
    image: NDArray[Any], axes: str, mask: Any = None, memory: int = MEMORY, **given: Any
) -> TrainingData:
    """The data of a training on an array."""
    stack = ArrayStack(image, axes)
    target = given.pop("target", None)
    clean = None if target is None else ArrayStack(target, axes)
    return TrainingData.prepare(stack, settings(**given), target=clean, mask=mask, in_memory=memory)


@st.composite
def images(draw: st.DrawFn) -> tuple[str, tuple[int, ...], dict[str, Any]]:
    """Axes and shape of an image, and settings of 2D or 3D with a patch that fits into it."""
    axes = draw(st.sampled_from(["YX", "CYX", "ZYX", "TYX", "TZYX", "TZCYX", "STYX", "XY", "ZTYX"]))
    dims = draw(st.sampled_from([2, 3])) if "Z" in axes else 2
    space = "ZYX"[-dims:]
    patch = {letter: 2 * draw(st.integers(1, 3)) for letter in space}
    sizes = {}
    for letter in axes:
        if letter in patch:
            # from less than two patches to a few
            sizes[letter] = patch[letter] + draw(st.integers(0, 16))
        else:
            sizes[letter] = draw(st.integers(1, 7))
    if all(sizes[letter] < 2 * patch[letter] for letter in space):
        sizes["X"] += patch["X"]
    given = {
        "spatial_dims": dims,
        "patch_size": tuple(patch[letter] for letter in space),
        "validation_percent": draw(st.sampled_from([1.0, 10.0, 25.0, 50.0])),
        "seed": draw(st.integers(0, 99)),
        "batch_size": 8,
    }
    return axes, tuple(sizes[letter] for letter in axes), given
