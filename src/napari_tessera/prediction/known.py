"""Cores that need not be predicted, as they are known from before."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_tessera.patching import is_tile_specs
from napari_tessera.prediction.joining import Predicted
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.tile_io import Origin, labelled, not_finite
from napari_tessera.writing import ImageRegionData


class KnownCores:
    """Gives the cores that are known, labelled as a plan's own.

    Parameters
    ----------
    plan : PredictionPlan
        The plan that is run.
    origin : Origin
        The image.
    cores : mapping of int to ImageRegionData, optional
        By the number of the tile, of the plan's area. Asked for each tile when its turn comes, so
        that it may be a view of a cache that changes meanwhile.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        origin: Origin,
        cores: Mapping[int, ImageRegionData] | None = None,
    ) -> None:
        self._plan = plan
        self._origin = origin
        self._cores = {} if cores is None else cores

    def get(self, index: int) -> Predicted | None:
        """The core of a tile; None where it is not known.

        Raises
        ------
        ValueError
            If it is of another tile than it is given for, or has no input beside it.
        """
        region = self._cores.get(index)
        if region is None:
            return None
        plan, specs = self._plan, self._plan.tiles.spec(index)
        given = region.additional_metadata.get("input")
        own = (specs["sample_idx"], *specs["stitch_coords"], *specs["crop_size"])
        theirs = region.region_spec
        start = theirs["stitch_coords"] if is_tile_specs(theirs) else ()
        found = (theirs["sample_idx"], *start, *region.data.shape[1:])
        if own != found or given is None or given.shape[1:] != region.data.shape[1:]:
            n = len(specs["crop_size"])
            raise ValueError(
                f"the known core of tile {index} is not that tile's: sample, start and size are "
                f"{found} and {'none' if given is None else given.shape[-n:]} of its input, not "
                f"{own}; give cores of the same image and grid, with their input"
            )
        core = labelled(plan, self._origin, index, specs, region.data, given)
        nonfinite = int(np.count_nonzero(not_finite(given)))
        return Predicted(index, core, nonfinite, known=True)
