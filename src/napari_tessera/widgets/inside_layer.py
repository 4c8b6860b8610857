"""What a Shapes or Labels layer marks in an image, read off in the GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import Outline, PlacedMask, PlanError
from napari_tessera.widgets.drawn_shapes import DrawnShapes
from napari_tessera.widgets.fields.layer_facts import pixels_of
from napari_tessera.widgets.layer_affine import LayerAffine

if TYPE_CHECKING:
    from napari.layers import Image, Layer

COPIED_BYTES = 64 * 2**20
"""Labels up to this size are copied, so that what is painted later changes nothing."""

Inside = DrawnShapes | PlacedMask
"""What `planned_inside` makes ready for a plan."""

NOTHING_DRAWN = "has no shapes"
"""What is said of a Shapes layer that is empty."""


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
    DrawnShapes or PlacedMask
        What `planned_inside` takes.

    Raises
    ------
    PlanError
        Of field ``"area"``, if there is no shape, or the layer has not the image's plane.
    """
    from napari.layers import Labels

    return (
        _labels(layer, image, letters)
        if isinstance(layer, Labels)
        else _shapes(layer, image, letters)
    )


def planned_inside(inside: Inside | None) -> list[Outline] | PlacedMask | None:
    """Make ready for `plan_prediction` what was read; takes time, so that a thread does it.

    Raises
    ------
    PlanError
        Of field ``"area"``, if a shape does not lie in a plane.
    """
    return inside.outlines if isinstance(inside, DrawnShapes) else inside


def _shapes(layer: Any, image: Image, letters: str) -> DrawnShapes:
    if not len(layer.data):
        raise PlanError(f"{layer.name} {NOTHING_DRAWN}: draw one over {image.name}", "area")
    affine = LayerAffine.between(layer, image)
    _check_plane(affine, letters, layer.name)
    return DrawnShapes.of(layer, affine, letters)


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
    pixels = pixels_of(layer)
    if isinstance(pixels, np.ndarray) and pixels.nbytes <= COPIED_BYTES:
        pixels = pixels.copy()
    matrix: NDArray[np.float64] = affine.matrix[-shared:, -shared:]
    return PlacedMask(
        pixels, own, tuple(map(tuple, matrix.tolist())), tuple(affine.offset[-shared:].tolist())
    )
