"""A stack with Z and/or C folded into its samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.origins import read_origins
from napari_tessera.stacks.padding import check_patch
from napari_tessera.stacks.protocol import ImageStack


class SampleView:
    """An `ImageStack` in which Z and/or C of another one are samples.

    A 2D model runs on a volume this way, and a one-channel model on each channel. Samples are
    ordered S, T, Z, C; `restore` is the way back. The view reads from the stack and closes
    nothing.

    Parameters
    ----------
    stack : ImageStack
        The stack to look at.
    fold : {"", "Z", "C", "ZC"}
        What becomes samples; an axis that the stack has not changes nothing.

    Raises
    ------
    ValueError
        If fold is none of these.
    """

    def __init__(self, stack: ImageStack, fold: str) -> None:
        self.stack = stack
        """The stack that is looked at."""
        self.layout = Layout(stack.original_axes, tuple(stack.original_data_shape), fold)
        """How samples of the view lie in the stack."""

    @property
    def source(self) -> str:
        """Source of the stack."""
        return self.stack.source

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Shape as ``SC(Z)YX``, folded."""
        return self.layout.view_shape

    @property
    def data_dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self.stack.data_dtype

    @property
    def original_data_shape(self) -> tuple[int, ...]:
        """Shape of the stack in its own axes: not folded."""
        return tuple(self.stack.original_data_shape)

    @property
    def original_axes(self) -> str:
        """Axes of the stack: not folded."""
        return self.stack.original_axes

    @property
    def metadata(self) -> ImageMetadata:
        """Axes, pixel size, units and channel names of the stack."""
        return read_metadata(self.stack)

    @property
    def origins(self) -> tuple[Path, ...]:
        """Local files and folders that the stack reads from."""
        return read_origins(self.stack)

    @property
    def absent_chunks(self) -> int:
        """Absent chunks that the stack has met (see `ZarrStack.absent_chunks`)."""
        return int(getattr(self.stack, "absent_chunks", 0))

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[np.generic]:
        """Read one patch of the folded image as ``C(Z)YX`` (see `ImageStack`)."""
        check_patch(self.data_shape, sample_idx, channels, coords, patch_size)
        sample, plane, channel = self.layout.base_sample(sample_idx)
        if channel is not None:
            # the one channel there is, as often as it was asked for
            channels = [channel] * (1 if channels is None else len(channels))
        if plane is None:
            return self.stack.extract_patch(sample, channels, coords, patch_size)
        return self.stack.extract_patch(sample, channels, (plane, *coords), (1, *patch_size))[:, 0]

    def restore(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Bring an array of the folded image back into the stack's own axes: the inverse.

        Parameters
        ----------
        array : numpy.ndarray
            ``SC(Z)YX`` of shape `data_shape`: what all patches of the view make up.

        Returns
        -------
        numpy.ndarray
            The same pixels in the order of `original_axes`, as a view where that is possible.

        Raises
        ------
        ValueError
            If the array has another shape.
        """
        if array.shape != self.data_shape:
            raise ValueError(
                f"an array of shape {array.shape} is not of this view, which has {self.data_shape}"
            )
        return self.layout.restore(array)

    def __repr__(self) -> str:
        return f"<SampleView of {self.stack!r}, folded {self.layout.fold!r}>"


def read_metadata(stack: ImageStack) -> ImageMetadata:
    """What a stack tells of axes, pixel size, units and channel names.

    Parameters
    ----------
    stack : ImageStack
        Any stack; one without a ``metadata`` of its own has its axes and nothing else.
    """
    metadata = getattr(stack, "metadata", None)
    if isinstance(metadata, ImageMetadata):
        return metadata
    return ImageMetadata(stack.original_axes)
