"""Where patches lie."""

from napari_tessera.patching.configs import (
    FixedPatchingConfig,
    FixedRandomPatchingConfig,
    PatchingConfig,
    RandomPatchingConfig,
    SequentialPatchingConfig,
    StratifiedPatchingConfig,
    TiledPatchingConfig,
    WholePatchingConfig,
    patching_config_from_dict,
)
from napari_tessera.patching.factory import create_patching
from napari_tessera.patching.fixed import FixedPatching
from napari_tessera.patching.protocol import Patching
from napari_tessera.patching.random import FixedRandomPatching, RandomPatching
from napari_tessera.patching.seeds import Seed
from napari_tessera.patching.sequential import SequentialPatching
from napari_tessera.patching.stratified.strategy import StratifiedPatching
from napari_tessera.patching.tiled import TiledAxis, TiledPatching
from napari_tessera.patching.types import PatchSpecs, TileSpecs, is_tile_specs
from napari_tessera.patching.whole import WholeSamplePatching

__all__ = [
    "FixedPatching",
    "FixedPatchingConfig",
    "FixedRandomPatching",
    "FixedRandomPatchingConfig",
    "PatchSpecs",
    "Patching",
    "PatchingConfig",
    "RandomPatching",
    "RandomPatchingConfig",
    "Seed",
    "SequentialPatching",
    "SequentialPatchingConfig",
    "StratifiedPatching",
    "StratifiedPatchingConfig",
    "TileSpecs",
    "TiledAxis",
    "TiledPatching",
    "TiledPatchingConfig",
    "WholePatchingConfig",
    "WholeSamplePatching",
    "create_patching",
    "is_tile_specs",
    "patching_config_from_dict",
]
