"""What of a layer's image is on display, as a selection in the image's own axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.canvas import camera_of, viewbox_size
from napari_tessera.widgets.fields.layer_facts import shape_of
from napari_tessera.widgets.request import EVERYTHING, SLICE

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_tessera.models import ChannelModels, Model

ViewSelection = Mapping[str, slice | int]
"""Axis letter to what is on display along it; an axis that is left out is wanted whole."""


@dataclass(frozen=True)
class SliceOnDisplay:
    """Which pixels of a layer the sliders and the display order pick.

    Parameters
    ----------
    displayed : str
        Letters of the axes on the canvas, in display order (2, or 3 in 3D display).
    indices : mapping
        Letter of every other axis of the layer to the index that its slider stands at.
    """

    displayed: str
    indices: Mapping[str, int]


def slice_on_display(viewer: ViewerModel, layer: Layer, letters: str) -> SliceOnDisplay:
    """Find the slice of a layer that the viewer shows.

    The layer's dimensions are the last ones of the viewer, which may have more. A slider that
    stands outside the layer counts as standing at its nearest index.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    layer : napari.layers.Layer
        The layer.
    letters : str
        One letter for each dimension of the layer (for rgb without the colour axis).
    """
    order = _layer_order(viewer, layer)
    shown = order[-viewer.dims.ndisplay :]
    at = world_to_layer(viewer, layer, np.asarray(viewer.dims.point, float))
    shape = _shape(layer)
    return SliceOnDisplay(
        "".join(letters[d] for d in shown),
        {
            letter: int(np.clip(np.round(at[d]), 0, shape[d] - 1))
            for d, letter in enumerate(letters)
            if d not in shown
        },
    )


def slice_selection(viewer: ViewerModel, layer: Layer, letters: str) -> ViewSelection:
    """Select the whole slice on display, all channels: the current Z, T and S in 2D display.

    In 3D display it is the whole volume of the current time point.
    """
    on_display = slice_on_display(viewer, layer, letters)
    return {letter: at for letter, at in on_display.indices.items() if letter != "C"}


def volume_selection(viewer: ViewerModel, layer: Layer, letters: str) -> ViewSelection:
    """Select the whole volume of the time point and sample on display, all channels."""
    on_display = slice_on_display(viewer, layer, letters)
    return {letter: at for letter, at in on_display.indices.items() if letter in "ST"}


def visible_selection(viewer: ViewerModel, layer: Layer, letters: str) -> ViewSelection:
    """Select the part of the slice on display that is inside the canvas.

    In 3D display, where all planes are seen through each other, it is the whole volume of the
    current time point.

    Raises
    ------
    PlanError
        If nothing of the layer is in view; its field is ``"area"``.
    """
    on_display = slice_on_display(viewer, layer, letters)
    selection: dict[str, slice | int] = dict(on_display.indices)
    if viewer.dims.ndisplay == 3:
        return selection
    shape = _shape(layer)
    corners = canvas_corners(viewer, layer)
    for letter in on_display.displayed:
        d = letters.index(letter)
        # Pixel i covers i − 0.5 to i + 0.5.
        start = int(np.floor(corners[:, d].min() + 0.5))
        stop = int(np.ceil(corners[:, d].max() - 0.5)) + 1
        start, stop = max(start, 0), min(stop, shape[d])
        if start >= stop:
            more = EVERYTHING if layer.ndim == 2 else SLICE
            raise PlanError(
                f"nothing of {layer.name} is in view: move it into view, or choose {more}", "area"
            )
        selection[letter] = slice(start, stop)
    return selection


def selection_for(
    model: Model | ChannelModels, selection: ViewSelection | None
) -> dict[str, slice | int]:
    """Select what a model is run on, of what is on display.

    A model that takes the channels together needs more than the one on display.
    """
    alone = model.in_channels in (None, 1)
    return {a: part for a, part in (selection or {}).items() if alone or a != "C"}


def check_channels_in_view(selection: ViewSelection, channels: Sequence[int]) -> None:
    """Raise PlanError, of field ``"area"``, where a channel on display has no model.

    Parameters
    ----------
    selection : mapping
        What is on display.
    channels : sequence of int
        Channels that have a model.
    """
    shown = selection.get("C")
    if shown is None:
        return
    wanted = range(shown.start, shown.stop) if isinstance(shown, slice) else (shown,)
    for channel in wanted:
        if channel not in channels:
            known = " or ".join(map(str, channels))
            raise PlanError(
                f"channel {channel} is in view and has no model: choose one for it, move to "
                f"channel {known}, or choose This slice",
                "area",
            )


def view_center(viewer: ViewerModel, layer: Layer, letters: str) -> dict[str, float]:
    """Position in the image, axis by axis, that the middle of the view looks at.

    Returns
    -------
    dict
        Axis letter to index, inside the image; fractional along the axes on the canvas.
    """
    on_display = slice_on_display(viewer, layer, letters)
    shape = _shape(layer)
    point = np.asarray(viewer.dims.point, float)
    # In 3D display the camera looks at a plane, too, whatever the slider's was in 2D.
    shown = list(viewer.dims.displayed)
    point[shown] = camera_of(viewer).center[-len(shown) :]
    middle = world_to_layer(viewer, layer, point)
    center: dict[str, float] = dict(on_display.indices)
    for letter in on_display.displayed:
        d = letters.index(letter)
        center[letter] = float(np.clip(middle[d], 0, shape[d] - 1))
    return center


def _shape(layer: Layer) -> tuple[int, ...]:
    """Shape of the layer's dimensions: without the colours of RGB."""
    return shape_of(layer)[: layer.ndim]


def _layer_order(viewer: ViewerModel, layer: Layer) -> list[int]:
    """Display order of the viewer for the dimensions that the layer has."""
    missing = viewer.dims.ndim - layer.ndim
    return [d - missing for d in viewer.dims.order if d >= missing]


def world_to_layer(
    viewer: ViewerModel, layer: Layer, point: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Data coordinates (level 0) of a point of the viewer's world."""
    own = point[-layer.ndim :].copy()
    # The sliders count in the viewer's units, the layer's transform in its own.
    if viewer.dims.units is not None:
        for d, (world, mine) in enumerate(
            zip(viewer.dims.units[-layer.ndim :], layer.units, strict=True)
        ):
            if world != mine:
                own[d] *= (1 * world).to(mine).magnitude
    return np.asarray(layer.world_to_data(own), float)


def canvas_corners(viewer: ViewerModel, layer: Layer) -> NDArray[np.float64]:
    """Data coordinates of the canvas' corners, one row each: two of the top, two of the bottom.

    From the camera, not from ``layer.corner_pixels``: these are those of the last draw, and for
    a multiscale layer those of what was loaded, which is more than what is seen.
    """
    camera = camera_of(viewer)
    height_width = np.asarray(viewbox_size(viewer), float)
    half = height_width / camera.zoom / 2
    center = np.asarray(camera.center, float)[-2:]
    point = np.asarray(viewer.dims.point, float)
    shown = list(viewer.dims.displayed[-2:])
    corners = []
    for sign in product((-1, 1), repeat=2):
        corner = point.copy()
        corner[shown] = center + half * sign
        corners.append(world_to_layer(viewer, layer, corner))
    return np.array(corners)
