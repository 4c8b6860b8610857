"""Tiles collected in memory, and one file for each image."""

from __future__ import annotations

from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.strategies.image_files import ImageFiles


class CachedTiles(ImageFiles):
    """A write strategy that collects the tiles of an image and writes it when it is whole.

    Only cropped cores are kept, put together at once: memory is that of one image. It is whole when
    ``total_tiles`` of it came. For parameters and errors see `ImageFiles`.

    Examples
    --------
    >>> import numpy as np
    >>> strategy = CachedTiles(lambda file_path, img: np.save(file_path, img), ".npy", {})
    """

    def _as_tile(self, prediction: ImageRegionData) -> ImageRegionData:
        return prediction
