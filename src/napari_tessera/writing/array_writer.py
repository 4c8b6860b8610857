"""Writing into an array in memory, or anything that takes a slice assignment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_tessera.region import Region
from napari_tessera.writing.convert import to_dtype
from napari_tessera.writing.region_data import (
    ImageRegionData,
    layout_of,
    output_core,
    tile_block,
)


class WritableArray(Protocol):
    """What `ArrayWriter` needs of an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type."""
        ...

    def __setitem__(self, index: Any, value: Any) -> None: ...


class ArrayWriter:
    """Puts each tile's core in its place in an array of a region's shape.

    Parameters
    ----------
    array : array-like
        ``region.selected_shape``, in the order of ``region.axes``; of any float or integer type.
        Filled by the caller with what shall stand where nothing is predicted.
    region : Region
        Part of the output that is wanted; what falls outside it is dropped.

    Raises
    ------
    ValueError
        If the array has another shape than the region.
    """

    def __init__(self, array: WritableArray, region: Region) -> None:
        if tuple(array.shape) != region.selected_shape:
            raise ValueError(
                f"an array of shape {tuple(array.shape)} cannot take the area "
                f"{region.axes} {region.selected_shape}"
            )
        self.array = array
        self.region = region
        self.clipped_pixels = 0
        """Number of pixels clipped to the array's data type so far."""

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Write cores (or whole tiles, cropped); ``dirpath`` has no meaning here."""
        for prediction in predictions:
            layout = layout_of(prediction)
            placed = self.region.place(tile_block(prediction, layout))
            if placed is None:
                continue
            within, target = placed
            pixels, n_clipped = to_dtype(output_core(prediction, layout)[within], self.array.dtype)
            self.array[target] = pixels
            self.clipped_pixels += n_clipped
