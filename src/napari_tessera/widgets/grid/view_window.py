"""Which part of a slice the canvas shows, and how long a canvas pixel is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tessera.widgets.canvas import viewbox_size
from napari_tessera.widgets.grid.drawing import Window
from napari_tessera.widgets.view_region import canvas_corners

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

MARGIN = 0.3
"""Share of the canvas that is drawn beyond each of its edges, so that one can pan a while."""

ZOOM_STEP = 1.33
"""Factor of zoom up to which lines that are a little too thick or thin are not drawn anew."""


def window_on(viewer: ViewerModel, layer: Image, letters: str, displayed: str) -> Window:
    """Find what of a layer is inside the canvas, along two axes.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer, in 2D display.
    layer : napari.layers.Image
        The layer.
    letters : str
        Letters of its dimensions.
    displayed : str
        The two of them that are on the canvas, in display order.
    """
    shown = [letters.index(letter) for letter in displayed]
    corners = canvas_corners(viewer, layer)[:, shown]
    # A window that is folded away has no height.
    height, width = np.maximum(viewbox_size(viewer), 1)
    # Columns: how far one gets in the data by a canvas pixel down, and by one to the right.
    step = np.stack(
        [(corners[2] - corners[0]) / height, (corners[1] - corners[0]) / width], axis=-1
    )
    pixel = _lengths(step)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Window(
        (float(low[0]), float(low[1])),
        (float(high[0]), float(high[1])),
        (float(pixel[0]), float(pixel[1])),
    )


def _lengths(step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of a canvas pixel along both data axes, of how far one gets by one down and right."""
    largest = np.abs(step).max()
    if abs(np.linalg.det(step)) <= 1e-8 * largest**2:
        # Seen from the side, or not at all: all that matters is that nothing fails.
        return np.full(2, largest or 1.0)
    lengths: NDArray[np.float64] = 1 / np.linalg.norm(np.linalg.inv(step), axis=0)
    return lengths


def with_margin(window: Window) -> Window:
    """The window and what one sees next of its surroundings."""
    low, high = np.array(window.low), np.array(window.high)
    more = MARGIN * (high - low)
    (top, left), (bottom, right) = (low - more).tolist(), (high + more).tolist()
    return Window((top, left), (bottom, right), window.pixel)


def still_serves(drawn: Window, window: Window) -> bool:
    """Whether what was drawn for one window is good enough for another."""
    inside = np.all(np.greater_equal(window.low, drawn.low)) and np.all(
        np.less_equal(window.high, drawn.high)
    )
    zoomed = np.asarray(window.pixel) / drawn.pixel
    return bool(inside and np.all(zoomed < ZOOM_STEP) and np.all(zoomed > 1 / ZOOM_STEP))
