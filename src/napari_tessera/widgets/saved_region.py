"""What of an image is saved: the area, with all its channels where the others can be copied."""

from __future__ import annotations

from collections.abc import Sequence

from napari_tessera.prediction import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.copied_channels import copied_channels, with_all_channels


def saved_region(plan: PredictionPlan) -> Region:
    """Part of the output that is saved: the plan's, with the channels that it leaves out.

    These are copied from the image, where the output has the image's channels.
    """
    if not copied_channels(plan.layout, plan.region):
        return plan.region
    return with_all_channels(plan.region)


def region_on_disk(plan: PredictionPlan, shape: Sequence[int]) -> Region:
    """What an OME-Zarr image of a run holds, told by its shape: with other channels or without."""
    region = plan.region
    if OmeOrder(region.axes, region.selected_shape).disk_shape == tuple(shape):
        return region
    return saved_region(plan)
