"""A stack with Z and/or C folded into its samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.padding import check_patch
from napari_tessera.stacks.protocol import ImageStack, read_metadata
from napari_tessera.stacks.stack_view import StackView


class SampleView(StackView):
    """An `ImageStack` in which Z and/or C of another one are samples.

    A 2D model runs on a volume this way, and a one-channel model on each channel. Samples are
    ordered S, T, Z, C; `restore` is the way back. The view reads from the stack, and closes
    it only where it owns it.

    Parameters
    ----------
    stack : ImageStack
        The stack to look at.
    fold : {"", "Z", "C", "ZC"}
        What becomes samples; an axis that the stack has not changes nothing.
    owns : bool, optional
        Whether closing the view closes the stack; by default who opened that does it.

    Raises
    ------
    ValueError
        If fold is none of these.
    """

    def __init__(self, stack: ImageStack, fold: str, *, owns: bool = False) -> None:
        super().__init__(stack, owns=owns)
        self.layout = Layout(stack.original_axes, tuple(stack.original_data_shape), fold)
        """How samples of the view lie in the stack."""

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Shape as ``SC(Z)YX``, folded."""
        return self.layout.view_shape

    @property
    def original_axes(self) -> str:
        """Axes of the stack: not folded."""
        return self.stack.original_axes

    @property
    def metadata(self) -> ImageMetadata:
        """Axes, pixel size, units and channel names of the stack."""
        return read_metadata(self.stack)

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[np.generic]:
        """Read one patch of the folded image as ``C(Z)YX`` (see `ImageStack`)."""
        channels = check_patch(self.data_shape, sample_idx, channels, coords, patch_size)
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
