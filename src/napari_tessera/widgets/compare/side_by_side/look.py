"""A plane of pixels as a picture that looks as its layer does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage

if TYPE_CHECKING:
    from napari.layers import Image

LEVELS = 255
"""Grey levels of a picture; one more entry of its table is transparent."""

SMALLEST = 1e-30
"""Least distance of contrast limits that is divided by."""


@dataclass(frozen=True)
class Look:
    """How a layer shows its values.

    Parameters
    ----------
    limits : tuple of float
        Contrast limits.
    gamma : float
        Gamma.
    colours : tuple of int
        0xAARRGGBB of each of the `LEVELS` between the limits.
    """

    limits: tuple[float, float]
    gamma: float
    colours: tuple[int, ...]

    @classmethod
    def of(cls, layer: Image) -> Look:
        """Read a layer's look off it."""
        low, high = layer.contrast_limits
        mapped: Any = layer.colormap.map(np.linspace(0, 1, LEVELS))
        red, green, blue = (np.rint(mapped[:, i] * 255).astype(np.uint32) for i in range(3))
        colours = (np.uint32(0xFF) << 24) | (red << 16) | (green << 8) | blue
        return cls((float(low), float(high)), float(layer.gamma), tuple(map(int, colours)))

    def picture(self, plane: NDArray[Any]) -> QImage:
        """Make a picture of a plane, transparent where it is NaN.

        Parameters
        ----------
        plane : numpy.ndarray
            Rows and columns, or rows, columns and 3 or 4 colours, uint8, which are shown as they
            are.
        """
        if plane.ndim == 3:
            return _colours(plane)
        low, high = self.limits
        values = plane.astype(np.float32)
        unknown = np.isnan(values)
        scaled = np.clip((values - low) / max(high - low, SMALLEST), 0, 1)
        np.nan_to_num(scaled, copy=False)
        levels = np.rint(scaled**self.gamma * (LEVELS - 1)).astype(np.uint8)
        levels[unknown] = LEVELS
        image = _image(levels, QImage.Format.Format_Indexed8)
        image.setColorTable([*self.colours, 0])
        return image


def _colours(plane: NDArray[np.uint8]) -> QImage:
    kinds = {3: QImage.Format.Format_RGB888, 4: QImage.Format.Format_RGBA8888}
    return _image(plane, kinds[plane.shape[-1]])


def _image(pixels: NDArray[np.uint8], kind: QImage.Format) -> QImage:
    rows, columns = pixels.shape[:2]
    whole = np.ascontiguousarray(pixels)
    # A copy: Qt would go on reading memory that is nobody's any more.
    return QImage(whole.tobytes(), columns, rows, whole.strides[0], kind).copy()
