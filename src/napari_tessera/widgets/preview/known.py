"""Tiles of a preview for a full run, which need not be predicted again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from napari_tessera.prediction import PredictionPlan
from napari_tessera.prediction.area import TileArea
from napari_tessera.widgets.preview.plans import Planned
from napari_tessera.widgets.preview.same_pixels import pixels_key, same_statistics
from napari_tessera.widgets.preview.tile_cache import TileCache
from napari_tessera.writing import ImageRegionData

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


def known_cores(
    cache: TileCache,
    image: str,
    before: tuple[Planned, ...],
    plan: PredictionPlan,
    model: Model | ChannelModels,
) -> dict[int, ImageRegionData]:
    """Cores of a plan's tiles that are in the cache, with the pixels that the plan would make.

    Parameters
    ----------
    cache : TileCache
        Has the tiles.
    image : str
        Name of the image, with the data that the plan is for.
    before : tuple of Planned
        What tiles in the cache were made with.
    plan, model : PredictionPlan, Model
        What is to be run.

    Returns
    -------
    dict
        By number in the plan. They stay, whatever the cache lets go of.
    """
    name = f"{image}:{pixels_key(plan, str(model.device))}"
    made_with = [planned.plan for planned in before if planned.name == name]
    if not made_with:
        return {}
    ranges, area = made_with[-1].normalization, plan.tiles
    there = cache.tiles(name)
    known = {}
    for number, index in indices_of(area, there):
        region = there[number]
        sample, *_ = plan.layout.base_sample(region.region_spec["sample_idx"])
        if same_statistics(ranges, plan.normalization, sample):
            told = {**region.additional_metadata, "tile_index": index}
            known[index] = region._replace(region_spec=area.spec(index), additional_metadata=told)
    return known


def indices_of(area: TileArea, there: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Find the tiles of an area among tiles of the grid over the whole image.

    Parameters
    ----------
    area : TileArea
        The area; tiles that it skips are none of its.
    there : iterable of int
        Numbers in the grid.

    Yields
    ------
    tuple of int
        Number in the grid, and in the area.
    """
    layout = area.layout
    numbers = np.fromiter(there, np.int64)
    counts = (*layout.sample_sizes.values(), *area.patching.grid_shape(0))
    wanted = [np.asarray(area.region.along(letter)) for letter in layout.sample_sizes]
    wanted += [np.asarray(tiles) for tiles in area.grid]
    inside = np.ones(numbers.size, np.bool_)
    places = []
    for at, chosen in zip(np.unravel_index(numbers, counts), wanted, strict=True):
        place = np.minimum(np.searchsorted(chosen, at), len(chosen) - 1)
        inside &= chosen[place] == at
        places.append(place)
    indices = np.ravel_multi_index(tuple(places), area.shape)
    if area.skipped is not None:
        inside &= ~area.skipped[indices]
    yield from zip(numbers[inside].tolist(), indices[inside].tolist(), strict=True)
