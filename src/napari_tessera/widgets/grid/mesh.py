"""Rectangles and strokes as triangles, with widths that are the same on the screen anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

CASING = 1.0
"""How far the dark casing of a stroke reaches beyond it at each side, in canvas pixels."""

CASING_COLOUR = (0.0, 0.0, 0.0, 0.6)
"""Strokes stand out from bright images by their casing, from dark ones by themselves."""

_CORNERS = np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)


@dataclass
class Mesh:
    """Coloured quadrilaterals, drawn in the order in which they are added.

    Parameters
    ----------
    pixel : tuple of float
        Length of a canvas pixel along both axes, in data pixels.
    """

    pixel: tuple[float, float]
    _quads: list[NDArray[np.float64]] = field(default_factory=list)
    _colours: list[NDArray[np.float32]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(quads) for quads in self._quads)

    def rectangles(self, bounds: NDArray[np.float64], colours: ArrayLike) -> None:
        """Add filled rectangles.

        Parameters
        ----------
        bounds : numpy.ndarray
            (N, 2, 2) start and stop of each, along both axes.
        colours : array_like
            (4,) or (N, 4) red, green, blue and opacity, 0 to 1.
        """
        quads = np.stack([bounds[:, c, (0, 1)] for c in _CORNERS], axis=1)
        self._add(quads, colours)

    def strokes(
        self, ends: NDArray[np.float64], width: float, colours: ArrayLike, *, cased: bool = True
    ) -> None:
        """Add straight strokes.

        Parameters
        ----------
        ends : numpy.ndarray
            (N, 2, 2) both ends of each.
        width : float
            In canvas pixels.
        colours : array_like
            (4,) or (N, 4) red, green, blue and opacity, 0 to 1.
        cased : bool
            Whether each has a dark casing, below all of these strokes.
        """
        if cased:
            opacity = np.broadcast_to(np.asarray(colours, float), (len(ends), 4))[:, 3:]
            dark = np.broadcast_to(CASING_COLOUR, (len(ends), 4)).copy()
            dark[:, 3:] *= opacity
            self._add(self._around(ends, width / 2 + CASING), dark)
        self._add(self._around(ends, width / 2), colours)

    def copy(self) -> Mesh:
        """A mesh that begins with what this one has."""
        return Mesh(self.pixel, list(self._quads), list(self._colours))

    def build(
        self, size: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.uint32], NDArray[np.float32]]:
        """Vertices, triangles, and the colour of each vertex.

        Parameters
        ----------
        size : tuple of int
            Size of the image along both axes. What lies beyond the centres of its border pixels
            is drawn on these, so that a grid never widens the extent of the layers, by which the
            viewer's sliders count.
        """
        if not len(self):
            return np.zeros((0, 2)), np.zeros((0, 3), np.uint32), np.zeros((0, 4), np.float32)
        vertices = np.concatenate(self._quads).reshape(-1, 2)
        np.clip(vertices, 0, np.array(size) - 1, out=vertices)
        first = 4 * np.arange(len(vertices) // 4, dtype=np.uint32)
        triangles = (_TRIANGLES + first[:, np.newaxis, np.newaxis]).reshape(-1, 3)
        return vertices, triangles, np.repeat(np.concatenate(self._colours), 4, axis=0)

    def _around(self, ends: NDArray[np.float64], half: float) -> NDArray[np.float64]:
        """Four corners of strokes, with square caps so that strokes join."""
        on_canvas = ends / self.pixel
        along = on_canvas[:, 1] - on_canvas[:, 0]
        length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        along *= half / length
        across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
        start, stop = on_canvas[:, 0] - along, on_canvas[:, 1] + along
        corners = [start + across, start - across, stop - across, stop + across]
        quads: NDArray[np.float64] = np.stack(corners, axis=1) * self.pixel
        return quads

    def _add(self, quads: NDArray[np.float64], colours: ArrayLike) -> None:
        if len(quads):
            self._quads.append(quads)
            shades = np.broadcast_to(np.asarray(colours, np.float32), (len(quads), 4))
            self._colours.append(shades)
