"""A stack whose time is taken as depth, so that a 3D model sees neighbouring time points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import AxesTransform
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.padding import check_patch, inside, pad_patch
from napari_tessera.stacks.protocol import ImageStack, read_metadata
from napari_tessera.stacks.stack_view import StackView


def has_time_for_depth(stack: ImageStack) -> bool:
    """Whether a stack has T, and no Z beside it."""
    return "T" in stack.original_axes and "Z" not in stack.original_axes


class TimeAsDepth(StackView):
    """An `ImageStack` in which Z is the T of another one: ``SCTYX`` seen as ``SCZYX``.

    Every other stack has the letters of its axes chosen when it is opened; this is for one that
    is open already. A patch is read time point by time point.

    Parameters
    ----------
    stack : ImageStack
        The stack to look at.
    owns : bool, optional
        Whether closing the view closes the stack; by default who opened that does it.

    Raises
    ------
    ValueError
        If the stack has no T, or has Z.
    """

    def __init__(self, stack: ImageStack, *, owns: bool = False) -> None:
        if not has_time_for_depth(stack):
            raise ValueError(
                f"{stack.source} has axes {stack.original_axes}: time is taken as depth where "
                "there is T and no Z"
            )
        super().__init__(stack, owns=owns)
        self.original_axes = stack.original_axes.replace("T", "Z")
        """Axes of the stack, with Z for T."""
        self._shape = AxesTransform(
            self.original_axes, tuple(stack.original_data_shape)
        ).transformed_shape

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Shape as ``SCZYX``."""
        return self._shape

    @property
    def metadata(self) -> ImageMetadata:
        """Metadata of the stack; of depth nothing is known, a step in time is none in space."""
        return read_metadata(self.stack).with_axes(self.original_axes)

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[np.generic]:
        """Read one patch as ``CZYX`` (see `ImageStack`)."""
        channels = check_patch(self._shape, sample_idx, channels, coords, patch_size)
        (first, *start), (count, *size) = inside(coords, patch_size, self._shape[2:])
        held = self._shape[1] if channels is None else len(channels)
        block = np.zeros((held, count, *size), self.data_dtype)
        if block.size:
            times = self._shape[2]
            for at in range(count):
                # samples of the stack are ordered S, T
                sample = sample_idx * times + first + at
                block[:, at] = self.stack.extract_patch(sample, channels, start, size)
        return pad_patch(coords, patch_size, self._shape, block)

    def __repr__(self) -> str:
        return f"<TimeAsDepth of {self.stack!r}>"
