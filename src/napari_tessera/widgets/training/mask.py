"""What a Labels or Shapes layer marks, as a mask that a training takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import Outline, PlacedMask, PlanError
from napari_tessera.training.errors import TrainingError
from napari_tessera.widgets.fields.layer_facts import shape_of
from napari_tessera.widgets.inside_layer import planned_inside, read_inside
from napari_tessera.widgets.layer_source import layer_letters

if TYPE_CHECKING:
    from napari.layers import Image, Layer

_CORNERS_OF_ELLIPSE = 90


def read_mask(mask: Layer | str | None, image: Image, axes: str) -> Callable[[], Any]:
    """Read off a layer what it marks, in the GUI thread; the mask itself is drawn elsewhere.

    Parameters
    ----------
    mask : napari.layers.Labels or napari.layers.Shapes, str or None
        The layer; text and None are handed on.
    image : napari.layers.Image
        What is trained on.
    axes : str
        Axes of its data.

    Returns
    -------
    callable
        Gives text, None, or an array of bool over the last axes of the image but for C.

    Raises
    ------
    TrainingError
        Of field ``"mask"``, if nothing is drawn, or the layer has not the image's plane.
    """
    if mask is None or isinstance(mask, str):
        return partial(_same, mask)
    letters = layer_letters(image, axes)
    sizes = dict(zip(axes, shape_of(image), strict=True))
    try:
        inside = read_inside(mask, image, letters)
    except PlanError as error:
        raise TrainingError(str(error), "mask") from error
    return partial(_drawn, inside, sizes)


def _same(value: Any) -> Any:
    return value


def _drawn(inside: Any, sizes: dict[str, int]) -> NDArray[np.bool_]:
    try:
        planned = planned_inside(inside)
    except PlanError as error:
        raise TrainingError(str(error), "mask") from error
    if isinstance(planned, PlacedMask):
        return sampled(planned, sizes)
    return filled(planned or [], sizes)


def sampled(mask: PlacedMask, sizes: dict[str, int]) -> NDArray[np.bool_]:
    """A mask at the centres of an image's pixels, along the axes of the mask but for C.

    Parameters
    ----------
    mask : PlacedMask
        What is marked, and where it lies.
    sizes : dict
        Axis letter of the image to its length.
    """
    from scipy import ndimage

    marks = np.asarray(mask.pixels) != 0
    further = marks.ndim - len(mask.axes)
    marks = marks.any(axis=tuple(range(further)))
    shape = tuple(sizes[letter] for letter in mask.axes)
    matrix, offset = np.array(mask.matrix), np.array(mask.offset)
    if marks.shape != shape or not np.allclose(matrix, np.eye(len(shape))) or offset.any():
        # whole pixels: what lies half-way belongs to the next one, as for tiles
        marks = ndimage.affine_transform(
            marks.astype(np.uint8), matrix, offset, shape, order=0, cval=0
        ).astype(np.bool_)
    if "C" in mask.axes:
        marks = marks.any(axis=mask.axes.index("C"))
    drawn: NDArray[np.bool_] = marks
    return drawn


def filled(outlines: list[Outline], sizes: dict[str, int]) -> NDArray[np.bool_]:
    """Shapes as a mask over Y and X, and over the axes that some of them name.

    Parameters
    ----------
    outlines : list of Outline
        In pixels of the image.
    sizes : dict
        Axis letter of the image to its length.
    """
    from PIL import Image as Canvas
    from PIL import ImageDraw

    named = {letter for outline in outlines for letter in outline.at} - {"C"}
    # the first of them and all that follow: what comes last in the image may not be left out
    others = [letter for letter in sizes if letter not in "CYX"]
    first = min((others.index(letter) for letter in named), default=len(others))
    axes = others[first:]
    mask = np.zeros([sizes[letter] for letter in axes] + [sizes["Y"], sizes["X"]], np.bool_)
    for outline in outlines:
        canvas = Canvas.new("1", (sizes["X"], sizes["Y"]))
        pen = ImageDraw.Draw(canvas)
        points = [(x, y) for y, x in _around(outline)]
        if outline.kind == "path":
            pen.line(points, fill=1)
        else:
            pen.polygon(points, fill=1, outline=1)
        place = tuple(
            slice(None) if letter not in outline.at else _within(outline.at[letter], sizes[letter])
            for letter in axes
        )
        mask[place] |= np.asarray(canvas)
    return mask


def _within(index: int, size: int) -> slice:
    """One plane; none where it lies beside the image."""
    return slice(index, index + 1) if 0 <= index < size else slice(0, 0)


def _around(outline: Outline) -> list[tuple[float, float]]:
    """Corners of a polygon, points of a path, or points on an ellipse."""
    if outline.kind != "ellipse":
        return list(outline.points)
    corners = outline.corners
    middle = corners.mean(axis=0)
    along, across = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    turn = np.linspace(0, 2 * np.pi, _CORNERS_OF_ELLIPSE, endpoint=False)[:, None]
    return [(y, x) for y, x in (middle + np.cos(turn) * along + np.sin(turn) * across).tolist()]
