"""The layer that shows a tile grid: triangles on the image, never in its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Surface
from numpy.typing import NDArray

from napari_tessera.widgets.grid.mesh import Mesh
from napari_tessera.widgets.output_layer import GUIDE_KEY

if TYPE_CHECKING:
    from napari.layers import Image

GRID_NAME = "Tiles"

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""What says where in the world a layer lies."""

MeshData = tuple[NDArray[np.float64], NDArray[np.uint32], NDArray[np.float32]]


def mesh_in(
    mesh: Mesh | None, letters: str, displayed: str, sizes: tuple[int, ...], at: Mapping[str, int]
) -> MeshData:
    """Bring a mesh of two axes into all dimensions of a layer.

    Parameters
    ----------
    mesh : Mesh or None
        What is drawn; None for nothing.
    letters : str
        Letters of the layer's dimensions.
    displayed : str
        The two axes of the mesh.
    sizes : tuple of int
        Size of the image along each dimension.
    at : mapping
        Index of the slice along the other axes.

    Returns
    -------
    vertices, triangles, colours
        As napari's Surface takes them; never empty, as it takes no empty ones.
    """
    if mesh is None or not len(mesh):
        # A single triangle that cannot be seen stands for none.
        return np.zeros((3, len(letters))), np.array([[0, 1, 2]], np.uint32), _unseen()
    shown = [letters.index(letter) for letter in displayed]
    flat, triangles, colours = mesh.build((sizes[shown[0]], sizes[shown[1]]))
    vertices = np.zeros((len(flat), len(letters)))
    for d, letter in enumerate(letters):
        vertices[:, d] = at.get(letter, 0)
    vertices[:, shown] = flat
    return vertices, triangles, colours


def _unseen() -> NDArray[np.float32]:
    return np.zeros((3, 4), np.float32)


def make_layer(source: Image, data: MeshData) -> Surface:
    """Make the layer over an image; it is no image, so that nothing offers it as one."""
    vertices, triangles, colours = data
    place: dict[str, Any] = {name: getattr(source, name) for name in PLACE}
    return Surface(
        (vertices, triangles),
        vertex_colors=colours,
        name=GRID_NAME,
        metadata={GUIDE_KEY: True},
        shading="none",
        blending="translucent_no_depth",
        **place,
    )


def change_layer(layer: Surface, data: MeshData) -> None:
    """Let the layer show other triangles, and be sliced and drawn once for it."""
    vertices, triangles, colours = data
    visible = layer.visible
    with layer.events.blocker_all():
        # A layer that is hidden is not sliced whenever one of these is set.
        layer.visible = False
        layer.vertex_colors = None
        layer.data = (vertices, triangles)
        layer.vertex_colors = colours
        layer.visible = visible
    layer.refresh(extent=False, thumbnail=False, highlight=False)


def place_layer(layer: Surface, source: Image, name: str) -> None:
    """Let the layer lie where its image lies, in one respect: one of `PLACE`."""
    setattr(layer, name, getattr(source, name))
