"""The images of a training: checked against each other, and seen plane by plane or as volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.stacks import ArrayStack, ImageStack, SampleView
from napari_tessera.stacks.read_once import read_once
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings

Pair = tuple[NDArray[np.generic], NDArray[np.generic] | None]
"""Pixels of the noisy image, C(Z)YX as they were read, and those of the clean one."""


@dataclass(frozen=True)
class Images:
    """A noisy image, and a clean one where there is one, of the same shape.

    Parameters
    ----------
    noisy, target : ImageStack
        In 2D with Z folded into the samples.
    layout : Layout
        How samples lie in the noisy image's own axes.
    """

    noisy: ImageStack
    target: ImageStack | None
    layout: Layout

    @property
    def shape(self) -> tuple[int, ...]:
        """``SC(Z)YX``, folded."""
        return self.layout.view_shape

    @property
    def space(self) -> tuple[int, ...]:
        """Size along (Z)YX."""
        return self.shape[2:]

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels of both."""
        return prod(self.shape) * sum(stack.data_dtype.itemsize for stack in self._both())

    def read(self, sample: int, coords: Sequence[int], size: Sequence[int]) -> Pair:
        """Read one patch of both."""
        noisy = self.noisy.extract_patch(sample, None, coords, size)
        if self.target is None:
            return noisy, None
        return noisy, self.target.extract_patch(sample, None, coords, size)

    def once(self) -> Images:
        """The same images for reads that lie close together, decoding each chunk once."""
        target = None if self.target is None else read_once(self.target)
        return replace(self, noisy=read_once(self.noisy), target=target)

    def loaded(self) -> Images:
        """The same images in memory, in the type that they have."""
        target = None if self.target is None else _loaded(self.target)
        return replace(self, noisy=_loaded(self.noisy), target=target)

    def chunk(self, letter: str) -> int:
        """Pixels along an axis that are decoded at once; 1 where that is not known."""
        sizes = [1]
        for stack in self._both():
            chunks: Sequence[int] | None = getattr(stack, "chunks", None)
            if chunks is not None and letter in stack.original_axes:
                sizes.append(chunks[stack.original_axes.index(letter)])
        return max(sizes)

    def where(self, sample: int, coords: Sequence[int]) -> str:
        """A pixel in the image's own axes, for messages."""
        letters = self.layout.unfold(sample) | dict(
            zip(self.layout.spatial_axes, map(int, coords), strict=True)
        )
        return " ".join(f"{letter}={at}" for letter, at in letters.items())

    def _both(self) -> tuple[ImageStack, ...]:
        return (self.noisy,) if self.target is None else (self.noisy, self.target)


def open_images(stack: ImageStack, target: ImageStack | None, settings: TrainingSettings) -> Images:
    """Check that images can be trained with, as far as their shapes tell.

    Parameters
    ----------
    stack, target : ImageStack
        The noisy and the clean image.
    settings : TrainingSettings
        `method` and `spatial_dims` count.

    Raises
    ------
    TrainingError
        If the method needs another number of images, the two do not fit each other, or there
        is no Z to train volumes on.
    """
    if settings.self_supervised and target is not None:
        raise TrainingError(
            f"method {settings.method!r} learns from the noisy image alone and takes no clean "
            "image; leave that out, or use method 'supervised'",
            "target",
        )
    if not settings.self_supervised and target is None:
        raise TrainingError(
            "method 'supervised' learns from a clean image and there is none; give one, or use "
            "method 'n2v'",
            "target",
        )
    if settings.spatial_dims == 3 and "Z" not in stack.original_axes:
        raise TrainingError(
            f"{stack.source} has axes {stack.original_axes} and no Z to train volumes on; train "
            "in 2D",
            "spatial_dims",
        )
    fold = "Z" if settings.spatial_dims == 2 else ""
    if target is not None:
        _check_same(stack, target)
        target = SampleView(target, fold)
    view = SampleView(stack, fold)
    return Images(view, target, view.layout)


def _check_same(stack: ImageStack, target: ImageStack) -> None:
    noisy_sizes, clean_sizes = (
        dict(zip(one.original_axes, map(int, one.original_data_shape), strict=True))
        for one in (stack, target)
    )
    channels = noisy_sizes.get("C", 1), clean_sizes.get("C", 1)
    if channels[0] != channels[1]:
        raise TrainingError(
            f"the noisy image has {channels[0]} channels and the clean one {channels[1]}; choose "
            "as many of both",
            "target",
        )
    for letter in "STZYX":
        sizes = noisy_sizes.get(letter, 1), clean_sizes.get(letter, 1)
        if sizes[0] != sizes[1]:
            raise TrainingError(
                f"the noisy image has size {sizes[0]} along {letter} and the clean one {sizes[1]}; "
                "give two images of the same places",
                "target",
            )
    if ("Z" in noisy_sizes) != ("Z" in clean_sizes):
        raise TrainingError(
            f"the noisy image has axes {stack.original_axes} and the clean one "
            f"{target.original_axes}; open both with the same axes",
            "target",
        )


def _loaded(stack: ImageStack) -> ImageStack:
    shape = tuple(stack.data_shape)
    pixels = np.empty(shape, stack.data_dtype)
    once = read_once(stack)
    for sample in range(shape[0]):
        pixels[sample] = once.extract_patch(sample, None, (0,) * len(shape[2:]), shape[2:])
    return ArrayStack(pixels, "SCZYX"[:2] + "ZYX"[5 - len(shape) :], source=stack.source)
