"""A Shapes layer over an image, ready to be drawn in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.widgets.canvas import camera_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Shapes

NAME = "Denoise inside"

_EDGE = "#f7b500"
_FACE = "#f7b50030"
_EDGE_PX = 2
"""Width of lines on the screen as it is when the layer is made, px."""


def draw_shapes(viewer: ViewerModel, image: Image | None) -> Shapes:
    """Add a Shapes layer and select it, with the tool for polygons.

    Its two dimensions are those of the image's planes, in the image's own pixels, so that what is
    drawn holds for all planes.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    image : napari.layers.Image, optional
        The image.
    """
    place: dict[str, Any] = {}
    step = 1.0
    if image is not None:
        affine = np.eye(3)
        origin = np.asarray(image.data_to_world(np.zeros(image.ndim)), float)
        for axis in (0, 1):
            unit = np.eye(image.ndim)[image.ndim - 2 + axis]
            affine[:2, axis] = (np.asarray(image.data_to_world(unit), float) - origin)[-2:]
        affine[:2, 2] = origin[-2:]
        step = float(np.sqrt(abs(np.linalg.det(affine[:2, :2])))) or 1.0
        place = {"affine": affine, "units": image.units[-2:], "axis_labels": image.axis_labels[-2:]}
    layer: Shapes = viewer.add_shapes(
        ndim=2,
        name=NAME,
        edge_color=_EDGE,
        face_color=_FACE,
        edge_width=max(_EDGE_PX / float(camera_of(viewer).zoom) / step, 1e-3),
        **place,
    )
    viewer.layers.selection.active = layer
    layer.mode = "add_polygon"
    return layer
