"""Where patches lie."""

from napari_tessera.patching.protocol import Patching
from napari_tessera.patching.tiled import TiledAxis, TiledPatching
from napari_tessera.patching.types import PatchSpecs, TileSpecs, is_tile_specs
from napari_tessera.patching.whole import WholeSamplePatching

__all__ = [
    "PatchSpecs",
    "Patching",
    "TileSpecs",
    "TiledAxis",
    "TiledPatching",
    "WholeSamplePatching",
    "is_tile_specs",
]
