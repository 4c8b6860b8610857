"""One predicted image in memory, filled by the cores that come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.patching import is_tile_specs
from napari_tessera.region import Region
from napari_tessera.writing.array_writer import ArrayWriter
from napari_tessera.writing.convert import fill_value
from napari_tessera.writing.region_data import ImageRegionData, layout_of


class HeldImage:
    """An image until its last tile came.

    Cores are put into their place at once, so that what is held is one image: no overlaps, and no
    tiles beside it.

    Parameters
    ----------
    first : ImageRegionData
        A tile of the image: it says how large that is, and how many tiles come.
    dtype : numpy.dtype
        Data type that the image is held, and written, in.
    region : Region, optional
        Part of the output that is wanted; default: all of it.

    Raises
    ------
    MemoryError
        If the image is larger than the free memory.
    """

    def __init__(
        self, first: ImageRegionData, dtype: np.dtype[Any], region: Region | None = None
    ) -> None:
        self.source = first.source
        self.layout = layout_of(first)
        self.region = region or Region.from_selection(
            self.layout.output_axes, self.layout.output_shape
        )
        shape = self.region.selected_shape
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        free = psutil.virtual_memory().available
        if nbytes > free:
            raise MemoryError(
                f"{self.source}: the result takes {nbytes / 1e9:.1f} GB, {free / 1e9:.1f} GB of "
                "memory are free: predict a region, or write Zarr (WriteTilesZarr)"
            )
        self._writer = ArrayWriter(np.full(shape, fill_value(dtype), dtype), self.region)
        self._total = _total_tiles(first)
        self._came: set[tuple[int, tuple[int, ...]]] = set()

    @property
    def array(self) -> NDArray[Any]:
        """The pixels, in the order of ``region.axes``."""
        array: NDArray[Any] = np.asarray(self._writer.array)
        return array

    @property
    def clipped_pixels(self) -> int:
        """Number of pixels clipped to the data type so far."""
        return self._writer.clipped_pixels

    @property
    def missing(self) -> int:
        """Number of tiles that did not come yet."""
        return self._total - len(self._came)

    def take(self, tile: ImageRegionData) -> None:
        """Put a core (or a whole tile, cropped) in its place.

        Raises
        ------
        ValueError
            If the tile is of another image, came before, or is one more than were expected.
        """
        layout: Layout = layout_of(tile)
        if layout != self.layout or _total_tiles(tile) != self._total:
            raise ValueError(
                f"tiles of {self.source} do not belong together: {layout.output_axes} "
                f"{layout.output_shape} of {_total_tiles(tile)} tiles came after "
                f"{self.layout.output_axes} {self.layout.output_shape} of {self._total}"
            )
        specs = tile.region_spec
        assert is_tile_specs(specs)
        place = (int(specs["sample_idx"]), tuple(int(at) for at in specs["stitch_coords"]))
        if place in self._came:
            raise ValueError(
                f"{self.source}: the tile of sample {place[0]} at {place[1]} came twice, so that "
                f"more than the expected {self._total} tiles would come"
            )
        if not self.missing:
            raise ValueError(
                f"{self.source}: more tiles came than the {self._total} expected; total_tiles "
                "counts the tiles of all samples"
            )
        self._writer.write_batch(Path(), [tile])
        self._came.add(place)


def _total_tiles(tile: ImageRegionData) -> int:
    specs = tile.region_spec
    if not is_tile_specs(specs):
        raise ValueError(
            f"a region of {tile.source} without crop and stitch coordinates is no tile: give "
            "tiles of TiledPatching, or use WriteImage for whole samples"
        )
    return int(specs["total_tiles"])
