"""An image without its pixels, to plan with before anyone wants to wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_tessera.stacks import ImageStack


class OutlineStack:
    """Axes, shape and dtype of a stack; every pixel is NaN and nothing is ever read.

    Tiles, sizes and what is wrong with settings do not depend on pixels, which may be far away.
    NaN whatever the dtype: nothing is said of intensities that nobody has seen.

    Parameters
    ----------
    stack : ImageStack
        The stack.
    """

    is_outline = True
    """Told to planning: that it is NaN says nothing of the image."""

    def __init__(self, stack: ImageStack) -> None:
        self.source = stack.source
        self.data_shape = tuple(stack.data_shape)
        self.data_dtype: np.dtype[Any] = np.dtype(stack.data_dtype)
        self.original_data_shape = tuple(stack.original_data_shape)
        self.original_axes = stack.original_axes

    def extract_patch(
        self,
        sample_idx: int,
        channels: Sequence[int] | None,
        coords: Sequence[int],
        patch_size: Sequence[int],
    ) -> NDArray[Any]:
        """NaN, ``C(Z)YX``."""
        n_channels = self.data_shape[1] if channels is None else len(channels)
        return np.full((n_channels, *patch_size), np.nan, np.float32)
