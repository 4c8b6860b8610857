"""What a run wrote, as it lies on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr

from napari_tessera.region import Region
from napari_tessera.writing import FileFormat
from napari_tessera.writing.files.formats import NPY
from napari_tessera.writing.ome.metadata import LEVEL, stored_image
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.places.target import Target
from napari_tessera.writing.stored.run_attributes import ATTRIBUTE


@dataclass(frozen=True)
class Written:
    """A result that is complete.

    Parameters
    ----------
    axes : str
        Its axes in the order on disk.
    shape : tuple of int
        Its full size along these.
    dtype : str
        Its data type.
    clipped_pixels : int
        Pixels clipped to the data type, those of earlier runs and of copied channels included.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: str
    clipped_pixels: int


def written_file(
    form: FileFormat, area: Region, dtype: np.dtype[Any], clipped_pixels: int
) -> Written:
    """What is in a TIFF or NPY file that holds an area of an output."""
    if form is NPY:
        return Written(area.axes, area.selected_shape, str(dtype), clipped_pixels)
    order = OmeOrder(area.axes, area.selected_shape)
    sizes = dict(zip(order.disk_axes, order.disk_shape, strict=True))
    shape = tuple(sizes[letter] for letter in order.plane_axes)
    return Written(order.plane_axes, shape, str(dtype), clipped_pixels)


def written_zarr(target: Target) -> Written:
    """What is in an OME-Zarr image."""
    store = target.open_store(read_only=True)
    try:
        group = zarr.open_group(store, mode="r", use_consolidated=False)
        attributes: Mapping[str, Any] = group.attrs.asdict()
        axes = stored_image(attributes)["multiscales"][0]["axes"]
        array = group[LEVEL]
        assert isinstance(array, zarr.Array)
        return Written(
            "".join(axis["name"] for axis in axes).upper(),
            array.shape,
            str(array.dtype),
            int(attributes[ATTRIBUTE]["clipped_pixels"]),
        )
    finally:
        if target.zipped:
            store.close()
