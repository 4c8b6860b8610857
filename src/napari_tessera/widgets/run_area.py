"""Which part of a layer's image a request is for: read off the viewer, and told to the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_tessera.prediction import PlanError
from napari_tessera.region import Region
from napari_tessera.widgets.fields.layer_facts import shape_of
from napari_tessera.widgets.inside_layer import Inside, read_inside
from napari_tessera.widgets.request import INSIDE, SLICE, TILE, VIEW, VOLUME, RunRequest
from napari_tessera.widgets.view_region import (
    ViewSelection,
    check_channels_in_view,
    selection_for,
    slice_selection,
    view_center,
    visible_selection,
    volume_selection,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.prediction import PredictionPlan

NO_SHAPES = "Add a Shapes or Labels layer, and mark where to denoise"


def selection_of(
    viewer: ViewerModel, request: RunRequest, layer: Image, letters: str
) -> ViewSelection | None:
    """Read off the viewer what the area of a request takes in of a layer's image.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    request : RunRequest
        What is asked for.
    layer : napari.layers.Image
        The input layer.
    letters : str
        Letters of its dimensions.

    Returns
    -------
    mapping or None
        None where no axis is restricted.

    Raises
    ------
    PlanError
        Of field ``"area"``, if nothing of the layer is there.
    """
    select = {VIEW: visible_selection, SLICE: slice_selection, VOLUME: volume_selection}
    if request.area == TILE:
        selection = _pixel(viewer, request, layer, letters)
    elif request.area in select:
        selection = select[request.area](viewer, layer, letters)
    else:
        return None
    if request.channel_models and request.channels is None:
        check_channels_in_view(selection, [channel for channel, _ in request.channel_models])
    return selection


def inside_of(
    viewer: ViewerModel, request: RunRequest, layer: Image, letters: str
) -> Inside | None:
    """Read what is marked of a layer's image, where a request is for that; else None.

    Raises
    ------
    PlanError
        Of field ``"area"``, if nothing is marked, or the layer that does is gone.
    """
    if request.area != INSIDE:
        return None
    if request.inside is None or request.inside not in viewer.layers:
        raise PlanError(NO_SHAPES, "area")
    return read_inside(request.inside, layer, letters)


def region_of(
    request: RunRequest,
    model: Model | ChannelModels,
    selection: ViewSelection | None,
    axes: str,
) -> dict[str, slice | int | list[int]]:
    """What to plan for: the area, and the channels that were chosen.

    Parameters
    ----------
    request : RunRequest
        What is asked for.
    model : Model or ChannelModels
        The model. One that takes the channels together gets all, or those chosen, whatever is
        on display.
    selection : mapping or None
        As `selection_of` gives it.
    axes : str
        Axes of the image.
    """
    region: dict[str, slice | int | list[int]] = {**selection_for(model, selection)}
    # one tile is of the channel that was clicked
    chosen = request.channels is not None and not (request.area == TILE and "C" in region)
    if chosen and request.channels is not None and "C" in axes:
        region["C"] = list(request.channels)
    return region


def snapped_to_tile(plan: PredictionPlan) -> PredictionPlan:
    """The plan for the whole core of the first tile of a plan, whatever part of it that is for."""
    tiles = plan.tiles
    whole = dict(zip(tiles.region.axes, tiles.block(0), strict=True))
    if "C" in tiles.region.axes and "C" not in tiles.axes:
        # of a model that makes channels together it has them all
        del whole["C"]
    region = Region.from_selection(tiles.region.axes, tiles.region.shape, whole)
    return replace(plan, region_selection=region.to_json())


def _pixel(
    viewer: ViewerModel, request: RunRequest, layer: Image, letters: str
) -> Mapping[str, slice | int]:
    """The pixel that was clicked; along axes that are not told, what is on display."""
    position = {**view_center(viewer, layer, letters), **dict(request.at or ())}
    pixel: dict[str, slice | int] = {}
    for letter, size in zip(letters, shape_of(layer), strict=False):
        at = int(np.floor(position[letter] + 0.5))
        if not 0 <= at < size:
            raise PlanError(
                f"{letter} {at} is outside {layer.name} (0…{size - 1}): click inside the image",
                "area",
            )
        pixel[letter] = slice(at, at + 1) if letter in "YX" else at
    return pixel
