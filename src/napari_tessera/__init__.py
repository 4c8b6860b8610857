"""Denoise large microscopy stacks inside napari, tile by tile, live.

The public names are listed in the stub beside this file and imported on first use,
so that ``import napari_tessera`` loads neither torch nor Qt nor napari.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
