"""What a store says of its run when that ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_tessera.writing.chunks.keys import stored_chunks
from napari_tessera.writing.ome.channels import channel_attributes
from napari_tessera.writing.ome.metadata import with_omero
from napari_tessera.writing.ome.order import disk_metadata
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.image_store import ImageStore
from napari_tessera.writing.stored.presence import Presence
from napari_tessera.writing.stored.run_attributes import ATTRIBUTE, BLOCKS, ended_attributes

PARTIAL_LEVELS = "partial_levels"
"""Entry of the run's attribute: smaller levels hold what was there when the run was stopped."""


def say_how_it_ended(
    presence: Presence,
    image: ImageStore,
    run: RunInfo,
    stored: Mapping[str, Any],
    *,
    completed: bool,
    clipped_pixels: int,
    partial_levels: bool,
) -> dict[str, Any]:
    """Write the attributes of an image whose run ends, contrast limits of its channels among them.

    Parameters
    ----------
    presence : Presence
        Knows whether the image is there; what others have set meanwhile stays.
    image : ImageStore
        The image.
    run : RunInfo
        The run.
    stored : mapping
        What was stored of it.
    completed : bool
        Whether all is there.
    clipped_pixels : int
        Pixels clipped to the output's data type.
    partial_levels : bool
        Whether smaller levels lack something.

    Returns
    -------
    dict
        What is stored of the run now.

    Raises
    ------
    StoreError
        If the image is not there any more.
    """
    group = presence.reopened()
    now = ended_attributes(stored, completed=completed, clipped_pixels=clipped_pixels)
    if completed:
        now.pop(BLOCKS, None)
        now.pop(PARTIAL_LEVELS, None)
    elif partial_levels and len(image.arrays) > 1:
        now[PARTIAL_LEVELS] = True
    attributes: dict[str, Any] = {ATTRIBUTE: now}
    metadata = disk_metadata(run.metadata.with_axes(image.region.axes), image.region)
    level = image.arrays[0]
    if not completed and stored_chunks(image.arrays[-1]):
        # of an image that is not finished, the smallest level shows most of what there is
        level = image.arrays[-1]
    omero = channel_attributes(level, metadata)
    if omero is not None:
        attributes |= with_omero(group.attrs.asdict(), omero)
    group.update_attributes(attributes)
    return now
