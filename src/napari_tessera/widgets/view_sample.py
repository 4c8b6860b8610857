"""Pixels in the middle of the view, to choose contrast limits from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.view_region import slice_on_display, view_center

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

SAMPLE_EDGE = 256
"""Edge of the part of the slice on display that is looked at, px."""


def sample_in_view(viewer: ViewerModel, layer: Image, axes: str, array: Any) -> NDArray[Any]:
    """Finite values of an array around the middle of the view.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    layer : napari.layers.Image
        The layer that lies where the array does.
    axes : str
        Letters of the array's dimensions.
    array : array-like
        The values.

    Returns
    -------
    numpy.ndarray
        1-D; empty where nothing is finite.
    """
    center = view_center(viewer, layer, axes)
    shown = slice_on_display(viewer, layer, axes).displayed[-2:]
    index: list[int | slice] = []
    for letter, size in zip(axes, array.shape, strict=False):
        if letter in shown:
            start = int(np.clip(center[letter] - SAMPLE_EDGE / 2, 0, max(size - SAMPLE_EDGE, 0)))
            index.append(slice(start, start + SAMPLE_EDGE))
        else:
            index.append(round(center[letter]))
    sample = np.asarray(array[tuple(index)])
    finite: NDArray[Any] = sample[np.isfinite(sample)]
    return finite
