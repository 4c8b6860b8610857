"""The part of one image, in one plane, that models are compared on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.compare.canvas_access import without_proxy
from napari_tessera.widgets.fields.layer_facts import pixels_of
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.request import VIEW, RunRequest
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.view_region import slice_on_display

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

MOST_EDGE = 768
"""Longest side of what models are compared on, px: a few seconds for a model on a CPU."""

IN_3D = "the view is in 3D: switch to 2D display to compare models on it"


@dataclass(frozen=True)
class ViewCrop:
    """What of an image is compared.

    Parameters
    ----------
    layer : napari.layers.Image
        The image.
    name : str
        Its name when the view was read.
    letters : str
        Letters of its dimensions.
    selection : mapping
        Slice of the two axes on the canvas, index of every other one.
    rows, columns : str
        Letters of the axes on the canvas, from top to bottom and from left to right.
    aspect : float
        Height of a pixel over its width, in the layer's units.
    is_whole : bool
        Whether it is all that is in view; False for the middle of a larger view.
    """

    layer: Image
    name: str
    letters: str
    selection: Mapping[str, slice | int]
    rows: str
    columns: str
    aspect: float
    is_whole: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, px."""
        rows, columns = (self.selection[letter] for letter in (self.rows, self.columns))
        assert isinstance(rows, slice)
        assert isinstance(columns, slice)
        return rows.stop - rows.start, columns.stop - columns.start

    @property
    def text(self) -> str:
        """Where it is: ``"cells · Z 3 · 512 × 768 px"``."""
        at = [f"{a} {part}" for a, part in self.selection.items() if not isinstance(part, slice)]
        rows, columns = self.shape
        size = f"{rows:,} × {columns:,} px"
        return " · ".join([self.name, *at, size if self.is_whole else f"middle {size}"])

    def read_input(self) -> NDArray[Any]:
        """Read the input's pixels: rows, columns, and colours where it is rgb. Takes time."""
        index = tuple(self.selection[letter] for letter in self.letters)
        plane = self._upright(np.asarray(pixels_of(self.layer)[index]), self.letters)
        if not self.layer.rgb:
            return plane
        return Colours(str(plane.dtype), plane).to_uint8(plane)

    def plane_of(self, array: NDArray[Any], axes: str) -> NDArray[Any]:
        """Take from an output of this crop what is compared, rows before columns.

        Parameters
        ----------
        array : numpy.ndarray
            The output; a last axis besides ``axes`` has colours.
        axes : str
            Its axes. Along those that are not on the canvas it is as long as the crop, or, for
            the channels of a model that takes or makes several, longer.
        """
        index: list[slice | int] = []
        for letter, size in zip(axes, array.shape, strict=False):
            at = self.selection.get(letter, 0)
            if letter in (self.rows, self.columns):
                index.append(slice(None))
            else:
                index.append(at if isinstance(at, int) and 1 < size > at else 0)
        return self._upright(array[tuple(index)], axes)

    def _upright(self, plane: NDArray[Any], axes: str) -> NDArray[Any]:
        turned = axes.index(self.rows) > axes.index(self.columns)
        return plane.swapaxes(0, 1) if turned else plane


def crop_request(request: RunRequest, layer: Image) -> RunRequest:
    """The same model and settings for what is in view of one layer, kept in memory."""
    return replace(
        request, layers=(layer,), area=VIEW, save=None, inside=None, at=None, channels=None
    )


def run_of(viewer: ViewerModel, request: RunRequest, crop: ViewCrop) -> LayerRun:
    """A run of a request over a crop, wherever the view is now.

    Raises
    ------
    PlanError
        If the axes do not fit.
    """
    run = LayerRun.of(viewer, crop_request(request, crop.layer), crop.layer)
    run.selection = crop.selection
    return run


def crop_of(viewer: ViewerModel, request: RunRequest) -> ViewCrop:
    """Read off the viewer what of the request's first image is in view.

    Raises
    ------
    PlanError
        If that is nothing, or not in one plane.
    """
    if viewer.dims.ndisplay != 2:
        raise PlanError(IN_3D, "area")
    if not request.layers:
        raise PlanError("no image is chosen: open or select one", "image")
    layer = without_proxy(request.layers[0])
    run = LayerRun.of(viewer, crop_request(request, layer), layer)
    displayed = slice_on_display(viewer, layer, run.letters).displayed
    rows, columns = displayed[0], displayed[1]
    selection = dict(run.selection or {})
    is_whole = True
    for letter in (rows, columns):
        part = selection[letter]
        assert isinstance(part, slice)
        if part.stop - part.start > MOST_EDGE:
            start = (part.start + part.stop - MOST_EDGE) // 2
            selection[letter] = slice(start, start + MOST_EDGE)
            is_whole = False
    height, width = (abs(layer.scale[run.letters.index(letter)]) for letter in (rows, columns))
    return ViewCrop(
        layer,
        layer.name,
        run.letters,
        selection,
        rows,
        columns,
        float(height / width),
        is_whole,
    )
