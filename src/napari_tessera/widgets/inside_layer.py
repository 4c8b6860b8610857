"""What a Shapes or Labels layer marks in an image, read off in the GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import Outline, PlacedMask, PlanError
from napari_tessera.widgets.layer_affine import LayerAffine

if TYPE_CHECKING:
    from napari.layers import Image, Layer

COPIED_BYTES = 64 * 2**20
"""Labels up to this size are copied, so that what is painted later changes nothing."""

_KINDS = {
    "polygon": "polygon",
    "rectangle": "polygon",
    "ellipse": "ellipse",
    "path": "path",
    "line": "path",
}

_PLANE = 0.5
"""Shapes whose corners lie apart by less, in planes, lie in one."""

Inside = list[Outline] | PlacedMask


def read_inside(layer: Layer, image: Image, letters: str) -> Inside:
    """Read what a layer marks, in pixels of an image. Copies what is light; reads no files.

    Parameters
    ----------
    layer : napari.layers.Shapes or napari.layers.Labels
        Shapes of a layer with more dimensions than the plane hold for the plane they were drawn
        in, those of a layer of the plane alone for all. All labels but 0 count.
    image : napari.layers.Image
        The image.
    letters : str
        A letter for each of its dimensions.

    Returns
    -------
    list of Outline or PlacedMask
        What `plan_prediction` takes.

    Raises
    ------
    PlanError
        Of field ``"area"``, if there is no shape, or one does not lie in the plane.
    """
    from napari.layers import Labels

    return (
        _labels(layer, image, letters)
        if isinstance(layer, Labels)
        else _shapes(layer, image, letters)
    )


def _shapes(layer: Any, image: Image, letters: str) -> list[Outline]:
    if not len(layer.data):
        raise PlanError(f"{layer.name} has no shapes: draw one over {image.name}", "area")
    affine = LayerAffine.between(layer, image)
    y, x = letters.index("Y"), letters.index("X")
    # along a dimension that the layer has not it says nothing
    planes = [
        d
        for d, letter in enumerate(letters)
        if letter not in "YX" and np.abs(affine.matrix[d]).max() > 0
    ]
    _check_plane(affine, letters, layer.name)
    outlines = []
    for number, (corners, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        at = affine(np.asarray(corners, float))
        for d in planes:
            if np.ptp(at[:, d]) > _PLANE:
                raise PlanError(
                    f"shape {number} of {layer.name} goes through several planes along "
                    f"{letters[d]}: draw shapes with Y and X on display",
                    "area",
                )
        outlines.append(
            Outline(
                tuple((float(corner[y]), float(corner[x])) for corner in at),
                _KINDS[str(kind)],
                {letters[d]: int(np.round(at[:, d].mean())) for d in planes},
            )
        )
    return outlines


def _check_plane(affine: LayerAffine, letters: str, name: str) -> None:
    """Raise PlanError unless a layer has the directions of Y and X."""
    plane = affine.matrix[[letters.index("Y"), letters.index("X")]]
    if np.linalg.matrix_rank(plane) < 2:
        raise PlanError(
            f"{name} has not the axes Y and X of an image {letters}: choose another layer, or tell "
            "the image's axes",
            "area",
        )


def _labels(layer: Any, image: Image, letters: str) -> PlacedMask:
    affine = LayerAffine.between(image, layer)
    shared = min(layer.ndim, len(letters))
    own = letters[-shared:]
    if not {"Y", "X"} <= set(own):
        raise PlanError(
            f"{layer.name} has not the axes Y and X of an image {letters}: choose another layer, "
            "or tell the image's axes",
            "area",
        )
    pixels = layer.data[0] if layer.multiscale else layer.data
    if isinstance(pixels, np.ndarray) and pixels.nbytes <= COPIED_BYTES:
        pixels = pixels.copy()
    matrix: NDArray[np.float64] = affine.matrix[-shared:, -shared:]
    return PlacedMask(
        pixels, own, tuple(map(tuple, matrix.tolist())), tuple(affine.offset[-shared:].tolist())
    )
