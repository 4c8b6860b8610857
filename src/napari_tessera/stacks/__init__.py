"""Where pixels come from: the `ImageStack` protocol and its implementations.

Names are imported on first use, so that none needs the library of another's format. Those that
need a package of an extra stand in no star import, which would fail without it.
"""

import lazy_loader

_OF_EXTRAS = ("BioioStack", "HDF5Stack")

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)

__all__ = [name for name in _names if name not in _OF_EXTRAS]
