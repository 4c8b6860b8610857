"""Folding axes into samples, and where a tile's core lies in the output array.

A 2D model runs on a volume plane by plane, a one-channel model on each channel by itself: Z and C
are then *folded* into the sample axis, after S and T (order S, T, Z, C). `Layout` is the arithmetic
of that, shared by everything that reads a folded image or writes its prediction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import AxesTransform, restored_axes_and_shape

FOLDS = ("", "Z", "C", "ZC")
"""What may be folded into the sample axis."""


@dataclass(frozen=True)
class Layout:
    """An image seen as ``SC(Z)YX`` with some axes folded into S, and its output array.

    Parameters
    ----------
    axes, shape : str, tuple of int
        The image's own axes and shape.
    fold : {"", "Z", "C", "ZC"}
        Axes folded into the sample axis. An axis that the image has not is no error: there is
        nothing to fold.
    channels : int, optional
        Number of output channels; None for as many as the image has. Must be None or the
        image's own number where C is folded.

    Raises
    ------
    ValueError
        If fold or channels do not go with the image.
    """

    axes: str
    shape: tuple[int, ...]
    fold: str = ""
    channels: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        if self.fold not in FOLDS:
            raise ValueError(f"fold {self.fold!r} is none of {FOLDS}")
        own = self.base.transformed_shape[1]
        if "C" in self.fold and self.channels not in (None, own):
            raise ValueError(
                f"{self.channels} output channels with C folded, where the image has {own}: "
                "choose one channel"
            )

    @cached_property
    def base(self) -> AxesTransform:
        """The image's own transform, nothing folded."""
        return AxesTransform(self.axes, self.shape)

    @cached_property
    def sample_sizes(self) -> dict[str, int]:
        """Sizes of the axes merged into S, in merging order: S, T, then the folded Z, C."""
        sizes = self.base.original_dim_sizes
        merged = "ST" + self.fold
        return {letter: sizes[letter] for letter in merged if letter in sizes}

    @property
    def spatial_axes(self) -> str:
        """Axes a tile has: ``ZYX``, or ``YX`` where there is no Z or it is folded."""
        return "YX" if "Z" in self.fold else self.base.spatial_axes

    @cached_property
    def view_shape(self) -> tuple[int, ...]:
        """``SC(Z)YX`` shape of the folded image (input channels)."""
        sizes = self.base.original_dim_sizes
        channels = 1 if "C" in self.fold else sizes.get("C", 1)
        return (
            prod(self.sample_sizes.values()),
            channels,
            *(sizes[letter] for letter in self.spatial_axes),
        )

    @cached_property
    def output_axes(self) -> str:
        """Axes of the output: the image's, with C inserted where the model makes channels."""
        return restored_axes_and_shape(self.axes, self.shape, self.channels)[0]

    @cached_property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output, in the order of `output_axes`."""
        return restored_axes_and_shape(self.axes, self.shape, self.channels)[1]

    def unfold(self, sample_idx: int) -> dict[str, int]:
        """Position along each merged axis of one sample, e.g. ``{"T": 3, "Z": 7}``."""
        total = prod(self.sample_sizes.values())
        if not 0 <= sample_idx < total:
            raise IndexError(f"sample {sample_idx} is outside 0…{total - 1}")
        position: dict[str, int] = {}
        for letter, size in reversed(self.sample_sizes.items()):
            sample_idx, position[letter] = divmod(sample_idx, size)
        return {letter: position[letter] for letter in self.sample_sizes}

    def sample_index(self, position: Mapping[str, int]) -> int:
        """Sample at a position along each merged axis: the inverse of `unfold`."""
        index = 0
        for letter, size in self.sample_sizes.items():
            at = int(position[letter])
            if not 0 <= at < size:
                raise IndexError(f"{letter} {at} is outside 0…{size - 1}")
            index = index * size + at
        return index

    def base_sample(self, sample_idx: int) -> tuple[int, int | None, int | None]:
        """The unfolded image's sample, and the folded plane and channel (None: not folded)."""
        position = self.unfold(sample_idx)
        index = 0
        for letter in self.base.sample_dims:
            index = index * self.sample_sizes[letter] + position[letter]
        z = position.get("Z", 0) if "Z" in self.fold else None
        c = position.get("C", 0) if "C" in self.fold else None
        return index, z if "Z" in self.axes else None, c

    def output_index(
        self, sample_idx: int, start: Sequence[int], size: Sequence[int]
    ) -> tuple[slice, ...]:
        """Slices of the output array that a core covers.

        Parameters
        ----------
        sample_idx : int
            Sample of the folded image.
        start, size : sequence of int
            Start and size of the core along `spatial_axes`.

        Returns
        -------
        tuple of slice
            One per axis of `output_axes`; S, T and folded axes have length 1.
        """
        position = self.unfold(sample_idx)
        index = []
        for letter, length in zip(self.output_axes, self.output_shape, strict=True):
            if letter in position:
                index.append(slice(position[letter], position[letter] + 1))
            elif letter in self.spatial_axes:
                at = self.spatial_axes.index(letter)
                index.append(slice(int(start[at]), int(start[at]) + int(size[at])))
            else:
                index.append(slice(0, length))
        return tuple(index)

    def to_output(self, core: NDArray[np.generic]) -> NDArray[np.generic]:
        """Bring a ``C(Z)YX`` core into the order of `output_axes`; other axes get length 1."""
        letters = "C" + self.spatial_axes
        present = [letter for letter in self.output_axes if letter in letters]
        # C of length 1 is dropped where the output has no C, or where C is a sample axis.
        if "C" not in present:
            core = np.asarray(core[0])
            letters = letters[1:]
        ordered = core.transpose([letters.index(letter) for letter in present])
        return ordered.reshape(
            [
                ordered.shape[present.index(letter)] if letter in present else 1
                for letter in self.output_axes
            ]
        )

    def restore(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Bring an ``SC(Z)YX`` array of the folded image into `output_axes` order."""
        merged = list(self.sample_sizes)
        letters = merged + ([] if "C" in merged else ["C"]) + list(self.spatial_axes)
        tail = array.shape[1:] if "C" not in merged else array.shape[2:]
        split = array.reshape([*self.sample_sizes.values(), *tail])
        if "C" not in self.output_axes:
            at = letters.index("C")
            split = np.asarray(split.take(0, axis=at))
            letters.pop(at)
        return split.transpose([letters.index(letter) for letter in self.output_axes])
