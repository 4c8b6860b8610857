"""The one seam to pixels: what everything that reads an image may count on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_tessera.metadata import ImageMetadata


class StackReadError(OSError):
    """Pixels that should be there cannot be read; the message names source and position."""


@runtime_checkable
class ImageStack(Protocol):
    """An image that is read patch by patch, as ``SC(Z)YX`` whatever its own axes are.

    S and T of the image are merged into the sample axis, S-major (S = i // T, T = i % T).
    ``extract_patch`` may be called from several threads at once.
    """

    @property
    def source(self) -> str:
        """Where the image comes from: a path, ``store.zarr/group/array``, ``layer:NAME``.

        What is predicted of it is called after it, so that no two images that have a place may
        share one.
        """
        ...

    @property
    def data_shape(self) -> Sequence[int]:
        """Shape as ``SC(Z)YX``."""
        ...

    @property
    def data_dtype(self) -> np.dtype[Any]:
        """Type of the pixels, in native byte order."""
        ...

    @property
    def original_data_shape(self) -> Sequence[int]:
        """Shape in the image's own axes."""
        ...

    @property
    def original_axes(self) -> str:
        """The image's own axes, letters out of ``STCZYX``."""
        ...

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[np.generic]:
        """Read one patch.

        Parameters
        ----------
        sample_idx : int
            Sample, S and T merged.
        channels : sequence of int or None
            Channels, in the order wanted; None for all.
        coords, patch_size : sequence of int
            Start and size along (Z)YX in pixels. The patch may lie outside the image, on
            either side and wholly.

        Returns
        -------
        numpy.ndarray
            ``C(Z)YX`` of ``data_dtype``, zero outside the image; the caller's own to write to.

        Raises
        ------
        IndexError
            If the sample or a channel is not in the image.
        TypeError
            If something is no whole number, as a position between two pixels.
        ValueError
            If coords or patch_size do not fit the image's space.
        StackReadError
            If pixels cannot be read or decoded.
        """
        ...


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
