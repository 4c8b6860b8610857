"""Where predictions go."""

from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.strategy import WriteStrategy

__all__ = [
    "ImageRegionData",
    "RunInfo",
    "WriteStrategy",
]
