"""The frame around the tile that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Vectors
from numpy.typing import NDArray

from napari_tessera.region import Region
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.fields.layer_facts import shape_of
from napari_tessera.widgets.output_layer import GUIDE_KEY, placement, selection_kept

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

FRAME_NAME = "Tried tile"

WIDTH = 2.0
"""Width of each of its three lines, in canvas pixels."""

BLACK = (0.0, 0.0, 0.0, 0.9)
YELLOW = (0.94, 0.89, 0.26, 1.0)
"""Of Okabe and Ito's palette; between black lines it is seen on every image."""

LINES = ((1.0, BLACK), (-1.0, BLACK), (0.0, YELLOW))
"""How many widths outside of the tile's edge each line lies, and its colour."""


class TileFrame:
    """Draws the outline of a block of an image, in the planes that the block has.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Vectors | None = None
        self._letters = ""
        self._block: tuple[slice, ...] = ()
        camera_of(viewer).events.zoom.connect(self._on_zoom)

    @property
    def layer(self) -> Vectors | None:
        """The layer that it is drawn by; None where there is none."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(self, source: Image, letters: str, block: Sequence[slice]) -> None:
        """Draw it instead of what was drawn before.

        Parameters
        ----------
        source : napari.layers.Image
            The image.
        letters : str
            Letters of its dimensions.
        block : sequence of slice
            What is framed, along these.
        """
        self.hide()
        shape = shape_of(source)[: source.ndim]
        place = placement(source, letters, letters, Region.from_selection(letters, shape))
        self._letters, self._block = letters, tuple(block)
        vectors, colours, width = self._lines(source)
        self._layer = Vectors(
            vectors,
            name=FRAME_NAME,
            metadata={GUIDE_KEY: True},
            edge_color=colours,
            edge_width=width,
            vector_style="line",
            **place,
        )
        with selection_kept(self._viewer):
            self._viewer.add_layer(self._layer)

    def hide(self) -> None:
        """Take it away."""
        layer, self._layer = self.layer, None
        if layer is not None:
            with selection_kept(self._viewer):
                self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Take it away for good."""
        self.hide()
        camera_of(self._viewer).events.zoom.disconnect(self._on_zoom)

    def _on_zoom(self, event: object = None) -> None:
        if (layer := self.layer) is not None:
            layer.data, _, layer.edge_width = self._lines(layer)

    def _lines(self, layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Vectors, their colours, and their width in pixels of a layer."""
        pixel = float(np.abs(np.asarray(layer.scale)[-2:]).max())
        width = WIDTH / float(camera_of(self._viewer).zoom) / pixel
        drawn = [outline(self._letters, self._block, away * width) for away, _ in LINES]
        colours = [colour for _, colour in LINES]
        return np.concatenate(drawn), np.repeat(colours, len(drawn[0]), axis=0), width


def outline(letters: str, block: Sequence[slice], away: float = 0) -> NDArray[np.float64]:
    """Edges of a block as vectors: four in each of its planes.

    Pixel i reaches from i − 0.5 to i + 0.5.

    Parameters
    ----------
    letters : str
        Letters of the axes; Y and X are those of the planes.
    block : sequence of slice
        The block.
    away : float
        How far outside of it the edges lie.

    Returns
    -------
    numpy.ndarray
        (4 · planes, 2, axes) start and extent.
    """
    y, x = letters.index("Y"), letters.index("X")
    others = [range(1) if d in (y, x) else range(p.start, p.stop) for d, p in enumerate(block)]
    planes = np.stack(np.meshgrid(*others, indexing="ij"), axis=-1).reshape(-1, len(letters))
    (top, bottom), (left, right) = (
        (block[d].start - 0.5 - away, block[d].stop - 0.5 + away) for d in (y, x)
    )
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    edges = []
    for (y0, x0), (y1, x1) in zip(corners, corners[1:] + corners[:1], strict=True):
        vectors = np.zeros((len(planes), 2, len(letters)))
        vectors[:, 0] = planes
        vectors[:, 0, y], vectors[:, 0, x] = y0, x0
        vectors[:, 1, y], vectors[:, 1, x] = y1 - y0, x1 - x0
        edges.append(vectors)
    return np.concatenate(edges)
